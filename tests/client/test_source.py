import email
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from attacca.cli.functions.deploy import read_env, read_secrets
from attacca.client.source import Blocks, default_name, example, find, multipart, own_frames
from attacca.errors import AttaccaError, BadConfig, BadFunction, NotFound
from attacca.model.function import SecretAs, Settings
from tests.cases import each

TRACEBACK = """Traceback (most recent call last):
  File "/usr/lib/python3.11/site-packages/attacca/guest/load.py", line 45, in load
    module = importlib.import_module(name)
             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "<frozen importlib._bootstrap>", line 1206, in _gcd_import
  File "<frozen importlib._bootstrap_external>", line 940, in exec_module
  File "/function/main.py", line 3, in <module>
    import nonsense
ModuleNotFoundError: No module named 'nonsense'
"""


def function(path: Path, toml: str = "", name: str = "hello") -> Path:
    folder = path / name
    folder.mkdir()
    (folder / "main.py").write_text("def hello(): return 1\n")
    if toml:
        (folder / "function.toml").write_text(toml)
    return folder


def test_flags_win_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    folder = function(tmp_path, 'memory_mb = 64\ntimeout_s = 5\n[env]\nA = "1"\nB = "1"\n')
    source = find(folder, {"memory_mb": 256, "timeout_s": None}, {"B": "2"})
    assert source.settings == Settings(name="hello", memory_mb=256, timeout_s=5.0, env={"A": "1", "B": "2"})


def test_a_single_file_has_the_name_of_the_file_and_no_function_toml(tmp_path: Path) -> None:
    folder = function(tmp_path, 'name = "other"')
    assert find(folder / "main.py", {}).settings.name == "main"
    assert find(folder, {}).settings.name == "other"
    assert find(folder, {"name": "third"}).settings.name == "third"
    assert find(function(tmp_path, "", "repo-main"), {}, name_of=tmp_path / "shop.zip").settings.name == "shop-zip"


@each(
    "toml, flags, what",
    [
        ("memroy_mb = 1", {}, "there is no setting 'memroy_mb'"),
        ("memory_mb = 1", {}, "memory_mb = 1 is not allowed"),
        ("", {"network": "all"}, "network = 'all' is not allowed (from --network)"),
        ("", {"name": "Hello"}, "name = 'Hello' is not allowed (from --name)"),
        ("min_sandboxes = 3\nmax_sandboxes = 2", {}, "min_sandboxes (3) must not exceed max_sandboxes (2)"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, toml: str, flags: dict[str, object], what: str) -> None:
    with pytest.raises(BadConfig) as caught:
        find(function(tmp_path, toml), flags)
    assert what in caught.value.message


@each("toml", ["timeout_s = inf", "timeout_s = nan", f"queue = {'9' * 5000}", f"queue = {'[' * 3000}"])
def test_numbers_without_end_are_refused(tmp_path: Path, toml: str) -> None:
    with pytest.raises(BadConfig):
        find(function(tmp_path, toml), {})


@each(
    "toml, env",
    [
        *((toml, {}) for toml in ("env = 's3cret'", "[env]\nA = ['s3cret']", "[env]\nA = 123123")),
        *((toml, {}) for toml in ("secrets = 's3cret'", "secrets = ['s3cret']", "secrets = { A = 's3cret' }")),
        ("[secrets.A]\nB = 's3cret'", {}),
        ("", {"A": "s3cret\0"}),
        ("", {"A\n": "s3cret"}),
    ],
)
def test_a_value_of_the_environment_is_not_repeated(tmp_path: Path, toml: str, env: dict[str, str]) -> None:
    with pytest.raises(BadConfig) as caught:
        find(function(tmp_path, toml), {}, env)
    assert "s3cret" not in caught.value.message + caught.value.hint
    assert "123123" not in caught.value.message + caught.value.hint


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    folder = function(tmp_path, "x = 1")
    (folder / "function.toml").write_bytes(b"\xff")
    with pytest.raises(BadConfig, match="UTF-8"):
        find(folder, {})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_settings_are_read_as_editors_and_shells_save_them(tmp_path: Path, encoding: str) -> None:
    folder = function(tmp_path, "x = 1")
    (folder / "function.toml").write_bytes('memory_mb = 64\r\n[env]\nA = "é"\n'.encode(encoding))
    assert find(folder, {}).settings == Settings(name="hello", memory_mb=64, env={"A": "é"})


def test_what_is_no_toml_is_refused_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match="line 2"):
        find(function(tmp_path, "memory_mb = 64\ntimeout_s = = 5\n"), {})


@pytest.mark.parametrize(
    ("flags", "hint"),
    [
        ({"network": "all"}, "one of: none, nat, host"),
        ({"name": "My Shop"}, "a letter, then letters, digits and dashes; at most 63, all lower-case"),
        ({"memory_mb": 1}, "correct it, or leave memory_mb out to have its default"),
    ],
)
def test_what_would_be_right_is_said(tmp_path: Path, flags: dict[str, object], hint: str) -> None:
    with pytest.raises(BadConfig) as caught:
        find(function(tmp_path), flags)
    assert caught.value.hint == hint


def test_secrets_are_asked_for_in_the_file_and_by_options(tmp_path: Path) -> None:
    folder = function(tmp_path, '[secrets]\nA = "env"\nTLS-KEY = "file"')
    found = find(folder, {}, {}, read_secrets(["A=file", "B"])).settings.secrets
    assert found == {"A": SecretAs.FILE, "TLS-KEY": SecretAs.FILE, "B": SecretAs.ENV}
    for wrong in ("A=s3cret", "A=", "1A"):
        with pytest.raises(BadConfig) as caught:
            find(folder, {}, {}, read_secrets([wrong]))
        assert "s3cret" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize("pair", ["DEBUG", "=1", "NAME=\udcff"])
def test_an_option_for_the_environment_is_a_name_and_a_text(pair: str) -> None:
    assert read_env(["A=b=c"]) == {"A": "b=c"}
    with pytest.raises(BadConfig):
        read_env([pair])


def test_what_cannot_be_a_function_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("")
    refused: dict[str, type[AttaccaError]] = {"nowhere": NotFound, "empty": BadFunction, "notes.txt": BadFunction}
    for name, kind in refused.items():
        with pytest.raises(kind):
            find(tmp_path / name, {})


# Not hypothesis's own: it needs a second to work out a table of all characters before it draws the first.
CHARACTERS = st.characters(exclude_categories=["Cs"]) | st.sampled_from("aZ09-_. /ßé")


@given(st.text(CHARACTERS, max_size=70))
def test_a_default_name_is_always_allowed(name: str) -> None:
    path = Path("/nowhere") / name.replace("/", "").replace("\0", "")
    Settings(name=default_name(path))
    assert find_label(default_name(path))


def find_label(name: str) -> bool:
    return 0 < len(name) <= 63 and name[0].isalpha() and name[-1] != "-" and name == name.lower()


def test_multipart_can_be_read_back() -> None:
    pieces, content_type = multipart({"settings": b'{"name": "x"}', "code": io.BytesIO(bytes(range(256)))})
    body = b"".join(piece if isinstance(piece, bytes) else piece.read() for piece in pieces)
    message = email.message_from_bytes(f"content-type: {content_type}\r\n\r\n".encode() + body)
    parts = list(message.walk())[1:]
    assert [part.get_param("name", header="content-disposition") for part in parts] == ["settings", "code"]
    assert bytes(range(256)) in body


def test_a_traceback_begins_with_the_users_own_frames() -> None:
    assert own_frames(TRACEBACK).splitlines() == [
        "Traceback (most recent call last):",
        '  File "/function/main.py", line 3, in <module>',
        "    import nonsense",
        "ModuleNotFoundError: No module named 'nonsense'",
    ]


def test_a_traceback_without_own_frames_is_its_last_line() -> None:
    ours = "\n".join([*TRACEBACK.splitlines()[:6], "Unfit: main.py has no function"])
    assert own_frames(ours) == "Unfit: main.py has no function"
    assert own_frames("") == ""


@each("signature", ["asgi", "event_context", "args", "named"])
def test_the_example_is_a_command(signature: str) -> None:
    assert example({"function": "hello", "signature": signature}).startswith("attacca invoke hello")


def test_what_is_sent_can_be_sent_once_more() -> None:
    file = io.BytesIO(b"before and after")
    file.seek(7)
    blocks = Blocks([b"head", file])
    assert [b"".join(blocks) for _ in range(2)] == [b"headand after"] * 2
    assert repr(blocks) == "<Blocks of 2 pieces>"
