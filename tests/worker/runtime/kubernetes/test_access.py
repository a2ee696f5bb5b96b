import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest

from attacca.errors import BadConfig
from attacca.worker.runtime.kubernetes.access import Access, access
from attacca.worker.runtime.kubernetes.options import KubernetesOptions
from tests.cases import each

USER: dict[str, Any] = {"token": "hidden"}
CLUSTER: dict[str, Any] = {"server": "http://127.0.0.1:8001/below/"}


def written(directory: Path, user: dict[str, Any], cluster: dict[str, Any], **more: Any) -> KubernetesOptions:
    told = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "k", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        "current-context": "k",
        **more,
    }
    path = directory / "config"
    path.write_bytes(msgspec.yaml.encode(told))
    return KubernetesOptions(kubeconfig=str(path))


def test_a_server_and_a_token_are_taken(tmp_path: Path) -> None:
    found = access(written(tmp_path, USER, CLUSTER), {})
    assert found == Access("127.0.0.1", 8001, "/below", "shop", token="hidden")
    assert repr(found) == "<Access http://127.0.0.1:8001/below, namespace shop>"
    options = msgspec.structs.replace(written(tmp_path, {"tokenFile": "t"}, CLUSTER), namespace="other")
    assert access(options, {}) == Access("127.0.0.1", 8001, "/below", "other", token_file=tmp_path / "t")
    assert access(written(tmp_path, USER, {"server": "https://[::1]"}), {}).shown == "https://[::1]:443"


@each(
    "user, cluster, more, why",
    [
        ({"exec": {"command": "aws"}}, CLUSTER, {}, "has a program that gives tokens, which is not taken"),
        ({"auth-provider": {"name": "gcp"}}, CLUSTER, {}, "has an authentication provider, which is not taken"),
        ({"username": "a", "password": "b"}, CLUSTER, {}, "has a password, which is not taken"),
        ({"as": "root"}, CLUSTER, {}, "has another user's name, which is not taken"),
        (USER, {"server": "https://x", "insecure-skip-tls-verify": True}, {}, "insecure-skip-tls-verify is not taken"),
        (USER, {"server": "https://x", "proxy-url": "http://y"}, {}, "proxy-url is not taken"),
        (USER, {"server": "http://10.0.0.1"}, {}, "is asked without TLS, and is another machine"),
        (USER, {"server": "unix:/x"}, {}, "the server of the kubeconfig is 'unix:/x'"),
        (USER, {"server": "https://h:x"}, {}, "the server of the kubeconfig is 'https://h:x'"),
        (USER, {"server": "https://h\r\nx"}, {}, "the server of the kubeconfig is"),
        (USER, {"server": "https://x", "certificate-authority-data": "%"}, {}, "is no base64"),
        (USER, {"server": "https://x", "certificate-authority-data": base64.b64encode(b"x").decode()}, {}, "cannot be"),
        (USER, {"server": "https://x", "certificate-authority": "missing"}, {}, "No such file"),
        (USER, CLUSTER, {"current-context": "z"}, "has no context 'z'"),
        (USER, CLUSTER, {"clusters": None}, "has no cluster 'c'"),
        (USER, CLUSTER, {"contexts": 3}, "is no kubeconfig: Expected"),
    ],
)
def test_what_is_not_taken_is_named(user: Any, cluster: Any, more: Any, why: str, tmp_path: Path) -> None:
    with pytest.raises(BadConfig) as caught:
        access(written(tmp_path, user, cluster, **more), {})
    assert why in caught.value.message
    assert caught.value.hint
    assert "hidden" not in str(caught.value)


def test_what_is_no_kubeconfig_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config"
    for data, why in ((b"\xff\xfe\0", "is no kubeconfig"), (b"a" * (1 << 21), "has more than 1 MB"), (b"[", "is no")):
        path.write_bytes(data)
        with pytest.raises(BadConfig, match=why):
            access(KubernetesOptions(kubeconfig=str(path)), {})
    with pytest.raises(BadConfig, match="cannot be used: No such file"):
        access(KubernetesOptions(kubeconfig=str(tmp_path / "none")), {})


def test_a_service_account_is_found(tmp_path: Path) -> None:
    options = KubernetesOptions(in_cluster=True)
    with pytest.raises(BadConfig, match="this is no pod"):
        access(options, {}, tmp_path)
    environ = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}
    with pytest.raises(BadConfig, match="cannot be used: No such file"):
        access(options, environ, tmp_path)
    (tmp_path / "namespace").write_text("shop")
    (tmp_path / "ca.crt").write_text("")
    found = access(options, environ, tmp_path)
    assert (found.shown, found.namespace, found.token_file) == ("https://10.96.0.1:443", "shop", tmp_path / "token")
    elsewhere = access(msgspec.structs.replace(options, namespace="n"), environ, tmp_path)
    assert (found.home, elsewhere.home, elsewhere.namespace) == ("shop", "shop", "n")


def test_settings_that_make_no_sense_together() -> None:
    tries: tuple[dict[str, Any], ...] = (
        {"kubeconfig": "x", "in_cluster": True},
        {"context": "k"},
        {"namespace": "Not"},
        {"identity": "-"},
        {"callers": []},
        {"callers": ["10.0.0.1/8"]},
        {"callers": ["x"]},
    )
    for told in tries:
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(told, KubernetesOptions)
    assert not KubernetesOptions().is_on
    assert KubernetesOptions(in_cluster=True).is_on
