"""Secrets in a whole server: given to who asks for them, shown nowhere, and new ones when they are set anew."""

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.live import ordinary
from tests.live.patience import Later
from tests.live.whole import ENVIRON, Answer, Whole, deployment, running, until

SOURCE = """
    import os, time

    KEY = "/run/secrets/tls-key"
    AT_IMPORT = [os.environ.get("PASSWORD", ""), open(KEY).read()]

    def given(wait_s=0):
        time.sleep(wait_s)
        assert open("/var/openfaas/secrets/tls-key").read() == AT_IMPORT[1]
        return AT_IMPORT
"""
ASKS = {"secrets": {"PASSWORD": "env", "tls-key": "file"}}
PLACE = """
    import os

    def look():
        found = {"mode": os.stat("/run/secrets/key").st_mode & 0o777, "owner": os.stat("/run/secrets/key").st_uid}
        found["mine"] = os.getuid()
        for what, work in WAYS.items():
            try:
                work()
                found[what] = "done"
            except OSError as error:
                found[what] = type(error).__name__
        return found

    WAYS = {
        "new": lambda: open("/run/secrets/new", "w"), "old": lambda: open("/run/secrets/key", "w"),
        "gone": lambda: os.unlink("/run/secrets/key"), "rights": lambda: os.chmod("/run/secrets/key", 0o644),
    }
"""


def put(whole: Whole, name: str, value: str | bytes) -> Answer:
    return whole.ask("PUT", f"/api/secrets/{name}", value if isinstance(value, bytes) else value.encode())


def attacca(whole: Whole, *words: str, said: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    environ = {**ENVIRON, "ATTACCA_URL": f"http://127.0.0.1:{whole.port}"}
    return subprocess.run(
        [sys.executable, "-m", "attacca.cli.app", *words],
        check=False,
        input=said,
        env=environ,
        capture_output=True,
        timeout=60,
    )


def test_a_function_is_given_what_it_asks_for_and_what_is_set_anew(tmp_path: Path) -> None:
    with running(tmp_path / "state") as whole:
        refused = whole.deploy("shop", SOURCE, **ASKS)["error"]
        assert (refused["code"], refused["try"]) == ("secret_missing", "attacca secret set PASSWORD")
        for name in ("PASSWORD", "tls-key"):
            assert put(whole, name, "one").status == 200
        whole.function("shop", SOURCE, **ASKS)
        whole.function(
            "other", "import os\ndef other():\n    return [os.listdir('/run/secrets'), 'PASSWORD' in os.environ]"
        )
        assert whole.call("shop").value == ["one", "one"]
        assert whole.call("other").value == [[], False]
        assert put(whole, "PASSWORD", "two").value["functions"] == ["shop"]
        assert put(whole, "tls-key", "three").value["functions"] == ["shop"]
        assert whole.call("shop").value == ["two", "three"]
        whole.kill()
    with running(tmp_path / "state") as whole:
        assert whole.call("shop").value == ["two", "three"], "what was acknowledged survives kill -9"
        assert [one["name"] for one in whole.get("/api/secrets")] == ["PASSWORD", "tls-key"]


def test_who_works_finishes_with_the_old_value_and_goes(tmp_path: Path) -> None:
    with running(tmp_path / "state") as whole:
        for name in ("PASSWORD", "tls-key"):
            put(whole, name, "one")
        whole.function("shop", SOURCE, **ASKS)
        work = Later(lambda: whole.call("shop", {"wait_s": 1}))
        until(lambda: any(one["busy"] for one in whole.sandboxes("shop")), "it works")
        put(whole, "PASSWORD", "two")
        assert whole.call("shop").value == ["two", "one"]
        assert work.result().value == ["one", "one"]
        for _ in range(3):
            assert whole.call("shop").value == ["two", "one"]


def test_what_is_asked_for_is_not_deleted_unless_by_force(tmp_path: Path) -> None:
    with running(tmp_path / "state") as whole:
        put(whole, "KEY", "one")
        whole.function("a", "import os\ndef a():\n    return os.environ['KEY']", secrets={"KEY": "env"})
        assert whole.call("a").body == b"one"
        assert whole.ask("DELETE", "/api/secrets/KEY").code == "secret_in_use"
        assert whole.ask("DELETE", "/api/secrets/KEY?force=true").status == 204
        refused = whole.call("a")
        assert (refused.status, refused.code) == (500, "start_failed")
        assert "the secret KEY is not set (attacca secret set KEY)" in refused.error["message"]
        put(whole, "KEY", "two")
        assert whole.call("a").body == b"two"
        assert whole.is_well()


@pytest.mark.parametrize("templates", ["true", "false"])
def test_a_file_is_its_functions_alone_and_cannot_be_changed(tmp_path: Path, templates: str) -> None:
    with running(tmp_path / "state", "--set", f"worker.templates={templates}") as whole:
        put(whole, "key", bytes(range(256)))
        whole.function("a", PLACE, secrets={"key": "file"}, handler="main:look")
        for _ in range(2):
            found = whole.call("a").value
            assert (found["mode"], found["owner"]) == (0o400, found["mine"])
            assert {found[what] for what in ("new", "old", "gone", "rights")} <= {"OSError", "PermissionError"}
            whole.ask("POST", "/api/functions/a/evict", b"{}", {"content-type": "application/json"})
        read = "def read():\n    return list(open('/run/secrets/key', 'rb').read())"
        whole.function("b", read, secrets={"key": "file"})
        assert whole.call("b").value == list(range(256)), "to the last byte"


def test_without_isolation_there_are_variables_and_no_files(tmp_path: Path) -> None:
    with running(tmp_path / "state", "--isolation", "none") as whole:
        put(whole, "KEY", b"\xff one")
        source = "import os\ndef a():\n    return list(os.environb[b'KEY'])"
        whole.function("a", source, secrets={"KEY": "env"})
        assert bytes(whole.call("a").value) == b"\xff one"
        assert (
            "without isolation there is no place"
            in whole.deploy("b", source, secrets={"KEY": "file"})["error"]["message"]
        )


def test_another_key_stops_only_who_needs_it(tmp_path: Path) -> None:
    with running(tmp_path / "state") as whole:
        put(whole, "KEY", "one")
        whole.function("a", "def a():\n    return 1", secrets={"KEY": "env"})
        whole.function("b", "def b():\n    return 2")
    key = tmp_path / "elsewhere.key"
    with running(tmp_path / "state", "--set", f"secret_key_file={key}") as whole:
        assert whole.call("b").value == 2
        assert "elsewhere.key, is gone" in whole.call("a").error["message"]
        assert put(whole, "NEW", "x").code == "state_corrupt"
        assert "is gone" in whole.deploy("c", "def c():\n    return 3", secrets={"KEY": "env"})["error"]["message"]
        assert not key.exists(), "no key is made for what another has sealed"
        (tmp_path / "state" / "secret.key").rename(key)
        assert whole.call("a").value == 1, "it is read when it is there"


def test_a_value_is_shown_nowhere(tmp_path: Path) -> None:
    secret, variable = (secrets.token_hex(12) for _ in range(2))
    state = tmp_path / "state"
    with running(state, "--verbose") as whole:
        assert attacca(whole, "secret", "set", "PASSWORD", said=f"{secret}\n".encode()).returncode == 0
        (tmp_path / "value").write_text(secret)
        told = [attacca(whole, "secret", "set", "tls-key", "--file", str(tmp_path / "value"), "--json").stdout]
        settings: dict[str, Any] = {**ASKS, "env": {"VARIABLE": variable}}
        told += [str(whole.deploy("shop", f"{SOURCE}\n    N = {number}\n", **settings)).encode() for number in range(2)]
        whole.function("plain", "def plain():\n    return 1")
        assert whole.call("shop").value == [secret, secret]
        told += _asked(whole)
        told.append(whole.ask("POST", "/api/functions/shop/rollback", b"{}", {"content-type": "application/json"}).body)
        told += [answer.body for answer in _refused(whole, secret, variable)]
        told += _commands(whole)
        server = [Path(f"/proc/{whole.pid}/{what}").read_bytes() for what in ("cmdline", "environ")]
        for word in (secret, variable):
            assert not [text for text in [*told, *server, whole.said.encode()] if word.encode() in text]
        assert _files_with(state, secret) == []
        assert set(_files_with(state, variable)) <= {"state.db", "state.db-wal"}
    assert _files_with(state, secret) == []
    assert _files_with(state, variable) == ["state.db"]


def _asked(whole: Whole) -> list[bytes]:
    """Every page, and every answer of the API to who only asks; what does not end tells what `/api/overview` does."""
    document = whole.get("/api/schema")
    paths = [path for path, item in document["paths"].items() if "get" in item and path != "/api/events"]
    assert len(paths) >= 8
    paths = [re.sub(r"\{\w+\}", "shop", path) for path in paths] + [
        "/",
        "/metrics",
        "/healthz",
        "/api/schema",
        "/nothing",
    ]
    return [whole.ask("GET", path).body for path in paths]


def _refused(whole: Whole, secret: str, variable: str) -> list[Answer]:
    """Whatever is wrong with what holds a value."""
    said = [
        {"env": {"A": f"{variable}\0"}}, {"env": {"A": [variable]}}, {"env": variable}, {"env": {"A": variable * 5000}},
        {"secrets": {"PASSWORD": secret}}, {"secrets": [secret]}, {"secrets": secret},
        {"env": {"PASSWORD": variable}, "secrets": {"PASSWORD": "env"}},
    ]  # fmt: skip
    answers = [_raw_deploy(whole, one) for one in said]
    answers += [
        put(whole, "BIG", secret * 5000),
        put(whole, "A.B", secret),
        whole.ask("POST", "/api/secrets/A", secret.encode()),
    ]
    assert all(answer.status >= 400 for answer in answers)
    return answers


def _raw_deploy(whole: Whole, settings: Any) -> Answer:
    return whole.ask("POST", "/api/functions", *deployment("wrong", "def wrong():\n    return 1", **settings))


def _commands(whole: Whole) -> list[bytes]:
    found = []
    for words in ("describe shop", "list", "calls", "logs shop", "secret list", "prewarm shop", "rollback shop --to 2"):
        for more in ((), ("--json",)):
            done = attacca(whole, *words.split(), *more)
            found += [done.stdout, done.stderr]
    assert b"VARIABLE=***" in found[0]
    return found


def _files_with(state: Path, word: str) -> list[str]:
    return sorted(
        name for at, _, names in os.walk(state) for name in names if word.encode() in Path(at, name).read_bytes()
    )


def test_a_server_without_secrets_does_not_wait_for_the_cipher() -> None:
    code = "import sys, attacca.cli.serve.server, attacca.cli.functions.secret; print('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="these tests themselves are run by somebody else already")
def test_it_is_so_for_an_ordinary_user_too() -> None:
    ordinary.run_again(__file__)
