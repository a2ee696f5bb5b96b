from typing import Any

import msgspec
import pytest

from attacca.model.function import PodImage, Revision, RuntimeKind, SecretAs, Settings, Signature
from attacca.worker.runtime.kubernetes import manifests
from attacca.worker.runtime.kubernetes.manifests import Owner
from attacca.worker.runtime.kubernetes.options import KubernetesOptions
from attacca.worker.runtime.kubernetes.runtime import called
from tests.cases import each

OWNER = Owner("attacca-w1", "uid-1", "w1", "r1")


def revision(image: str = "ghcr.io/team/shop:v1", **settings: Any) -> Revision:
    told = Settings(name="shop", memory_mb=256, runtime=RuntimeKind.KUBERNETES, image=image, **settings)
    return Revision(
        function="shop", number=3, settings=told, handler="", signature=Signature.WSGI, artefact=PodImage(image)
    )


def made(told: Revision, **options: Any) -> Any:
    return manifests.pod("p", OWNER, told, msgspec.convert(options, KubernetesOptions), 64)


def test_a_pod_has_no_more_than_it_needs() -> None:
    pod = made(revision(env={"A": "$(PORT)"}, cpus=0.25))
    spec, (container,) = pod["spec"], pod["spec"]["containers"]
    assert pod["metadata"]["ownerReferences"] == [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": "attacca-w1", "uid": "uid-1"}
    ]
    assert pod["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "attacca", "attacca/worker": "w1", "attacca/run": "r1",
        "attacca/function": "shop", "attacca/revision": "3", "attacca/network": "none", "attacca/pod": "p",
    }  # fmt: skip
    assert not spec["automountServiceAccountToken"]
    assert spec["restartPolicy"] == "Never"
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container["image"] == "ghcr.io/team/shop:v1"
    assert container["env"] == [{"name": "PORT", "value": "8080"}, {"name": "A", "value": "$$(PORT)"}]
    limits = {"memory": "256Mi", "ephemeral-storage": "128Mi", "cpu": "250m"}
    assert container["resources"] == {"limits": limits, "requests": limits}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True,
        "runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    assert not {"imagePullSecrets", "serviceAccountName", "runtimeClassName", "hostNetwork"} & set(spec)


def test_what_settings_say_is_in_it() -> None:
    given = {"image_pull_secret": "s", "service_account": "a", "runtime_class": "gvisor", "root": True}
    spec = made(revision(timeout_s=2.5), **given)["spec"]
    assert spec["imagePullSecrets"] == [{"name": "s"}]
    assert (spec["serviceAccountName"], spec["runtimeClassName"]) == ("a", "gvisor")
    assert not spec["securityContext"]["runAsNonRoot"]
    assert spec["terminationGracePeriodSeconds"] == 3


def test_values_of_secrets_are_in_no_pod() -> None:
    told = revision(secrets={"KEY": SecretAs.ENV, "cert": SecretAs.FILE})
    (container,) = made(told)["spec"]["containers"]
    assert container["env"][-1] == {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "p", "key": "KEY"}}}
    assert container["volumeMounts"][1:] == [
        {"name": "secrets", "mountPath": place, "readOnly": True} for place in ("/run/secrets", "/var/openfaas/secrets")
    ]
    secret = manifests.secret("p", OWNER, told, {"KEY": b"a", "cert": b"\xff"})
    assert secret["data"] == {"KEY": "YQ==", "cert": "/w=="}
    assert secret["metadata"] == made(told)["metadata"]


def test_names_are_of_one_sandbox_and_short_enough() -> None:
    long = revision()
    long = msgspec.structs.replace(long, function="f" * 63)
    owner = OWNER._replace(name=manifests.owner_name("i" * 32))
    names = [manifests.pod_name(owner, long, sandbox) for sandbox in ("s1", "s2")]
    names += [manifests.pod_name(owner._replace(run="r2"), long, "s1"), manifests.pod_name(OWNER, revision(), "s1")]
    assert len(set(names)) == 4
    assert all(len(name) <= 63 and name[0].isalnum() and name == name.lower() for name in names)
    assert names[-1].startswith("attacca-w1-shop-")


@each(
    "image, name",
    [
        ("ghcr.io/team/shop:v1", "shop"),
        ("localhost:5000/a.b-c@sha256:" + "0" * 64, "a.b-c"),
        ("x", "x"),
    ],
)
def test_an_image_is_called_as_a_handler_may_be(image: str, name: str) -> None:
    assert called(revision(image)) == name


@each(
    "told, why",
    [
        ({"runtime": "kubernetes"}, 'runtime = "kubernetes" needs image'),
        ({"image": "x"}, 'needs runtime = "kubernetes"'),
        ({"runtime": "kubernetes", "image": "x y"}, "image"),
        ({"runtime": "kubernetes", "image": "x\n"}, "image"),
        ({"runtime": "kubernetes", "image": "x", "network": "nat", "allow": ["a.b:1"]}, "know networks and no names"),
        ({"runtime": "kubernetes", "image": "x", "allow": ["192.0.2.1:1"]}, 'needs network = "nat"'),
        ({"runtime": "kubernetes", "image": "x", "network": "nat", "bandwidth_mbps": 1}, "to bandwidth_mbps"),
        ({"runtime": "kubernetes", "image": "x", "gpu": 1}, "leave gpu out"),
    ],
)
def test_what_a_function_may_not_say(told: dict[str, Any], why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert({"name": "f", **told}, Settings)
