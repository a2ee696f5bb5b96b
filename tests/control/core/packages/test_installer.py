from pathlib import PurePath

import pytest

from attacca.control.core.packages.installer import arguments, choose, listed, pip_settings
from attacca.control.core.packages.requirements import Requirements

SERVER = {
    "PATH": "/bin",
    "HOME": "/root",
    "PIP_INDEX_URL": "https://mirror.example/simple",
    "UV_CACHE_DIR": "/cache",
    "UV_PYTHON": "3.9",
    "HTTPS_PROXY": "http://proxy.example",
    "DATABASE_PASSWORD": "secret",
    "PYTHONPATH": "/elsewhere",
}
SAID = Requirements(("--pre", "--index-url https://h/simple", "a==1 --hash=sha256:00"), ("b<2",))


def test_uv_installs_where_it_is_there_and_else_pip() -> None:
    assert choose(None, "/py", SERVER, {}).command == ("/py", "-I", "-m", "pip", "install")
    assert choose("/bin/uv", "/py", SERVER, {}).command == ("/bin/uv", "pip", "install")


@pytest.mark.parametrize("uv", [None, "/bin/uv"])
def test_each_sees_its_own_settings_and_no_secrets(uv: str | None) -> None:
    found = choose(uv, "/py", SERVER, pip_settings(SERVER, [])).environment
    assert found["HTTPS_PROXY"] == "http://proxy.example"
    assert found["UV_DEFAULT_INDEX" if uv else "PIP_INDEX_URL"] == "https://mirror.example/simple"
    assert ("UV_CACHE_DIR" in found) is bool(uv)
    assert not {"DATABASE_PASSWORD", "PYTHONPATH", "UV_PYTHON"} & set(found)


def test_what_pip_is_told_here_uv_is_told_too_or_pip_installs() -> None:
    def settings(environ: dict[str, str], *files: dict[str, dict[str, str]]) -> dict[str, str]:
        return pip_settings(environ, files)

    one = {"global": {"index-url": "https://a/simple", "extra_index_url": "https://b/simple\nhttps://c/simple"}}
    two = {"global": {"timeout": "5"}, "install": {"index-url": "https://d/simple"}, "list": {"format": "json"}}
    found = settings({"PIP_CERT": "/ca.pem", "PIP_FIND_LINKS": "/w /x", "PIP_NO_INPUT": "1"}, one, two)
    told = choose("/bin/uv", "/py", {}, found).environment
    assert {name: told[name] for name in told if not name.startswith(("UV_PYTHON", "UV_NO", "NO_"))} == {
        "UV_DEFAULT_INDEX": "https://d/simple",
        "UV_INDEX": "https://b/simple https://c/simple",
        "UV_HTTP_TIMEOUT": "5",
        "UV_FIND_LINKS": "/w,/x",
        "SSL_CERT_FILE": "/ca.pem",
    }
    assert choose("/bin/uv", "/py", {"UV_DEFAULT_INDEX": "https://z"}, found).environment["UV_DEFAULT_INDEX"] == (
        "https://z"
    )
    for strange in ({"PIP_TRUSTED_HOST": "h"}, {"PIP_NO_INDEX": "1"}, {"PIP_PROXY": "http://p"}):
        assert choose("/bin/uv", "/py", {}, settings(strange)).name == "pip"


@pytest.mark.parametrize("from_source", [False, True])
def test_both_are_asked_for_the_same(from_source: bool) -> None:  # noqa: FBT001
    pip, uv = (choose(path, "/py", {}, {}) for path in (None, "/bin/uv"))
    by_pip, by_uv = (arguments(one, SAID, PurePath("/made"), "/py", from_source=from_source) for one in (pip, uv))
    for words in (by_pip, by_uv):
        assert words[words.index("--target") + 1] == "/made"
        assert words[words.index("-c") + 1] == "constraints.txt"
        assert ("--only-binary" in words) is not from_source
    assert listed(pip, SAID).splitlines() == list(SAID.lines)
    assert listed(uv, SAID).splitlines() == list(SAID.lines[1:])
    assert {"--prerelease", "--require-hashes", "--no-config", "unsafe-best-match"} <= set(by_uv)
    assert "-c" not in arguments(uv, Requirements(("a",)), PurePath("/made"), "/py", from_source=False)
