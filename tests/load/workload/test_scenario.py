from pathlib import Path

import pytest

from attacca.errors import BadConfig
from attacca.load.workload.scenario import read

FUNCTION = '[[functions]]\nname = "f"\n'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('name = "x"\n[workload]\nduration_s = 1.0\n' + FUNCTION + FUNCTION, "two functions have the same name"),
        ('name = "x"\n' + FUNCTION, "workload.duration_s is needed where there is no trace"),
        ('name = "x"\n[workload]\nduration_s = 1.0\n', "there is neither a trace nor a function"),
        ('name = "x"\ncolour = 1\n', "unknown field `colour`"),
        ("name =", "Invalid value"),
    ],
)
def test_what_makes_no_sense_is_named(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "one.toml"
    path.write_text(text)
    with pytest.raises(BadConfig, match=f"one.toml: .*{reason}"):
        read(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadConfig, match=r"nowhere\.toml: No such file"):
        read(tmp_path / "nowhere.toml")


@pytest.mark.parametrize(
    "content",
    [
        b"\xff", 'name = "x"\n'.encode("utf-16"), b"seed = " + b"1" * 5000, b"a = " + b"[" * 5000,
        b"a = " + b"{b=" * 5000,
        b'name = "x\0"', b".".join([b"a"] * 5000) + b" = 1", b"[" + b".".join([b"a"] * 5000) + b"]", b"\x1f\x8b\0",
        b'name = "x"\nseed = ' + b"9" * 400 + b"\n[workload]\nduration_s = 1.0\n" + FUNCTION.encode(),
    ],
    ids=range(10),
)  # fmt: skip
def test_what_no_toml_is_is_refused_with_its_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "one.toml").write_bytes(content)
    with pytest.raises(BadConfig, match=r"one\.toml: "):
        read(tmp_path / "one.toml")
