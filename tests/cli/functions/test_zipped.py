import io
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from attacca.cli.functions.zipped import Opened, opened, pointed, unpack
from attacca.client.source import find
from attacca.control.config import ArchiveLimits
from attacca.errors import AttaccaError, BadRequest, PayloadTooLarge
from attacca.io.archive import pack
from tests.cases import each

LIMITS = ArchiveLimits(packed_mb=1, unpacked_mb=1, entries=20)
LINK = 0o120777


def zipped(*entries: tuple[str, str | bytes] | tuple[str, str | bytes, int]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content, *mode in entries:
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = (3, mode[0] << 16) if mode else (0, 0)
            file.writestr(info, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def names(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


def taken(directory: Path, data: bytes) -> list[str]:
    made = directory / "made"
    made.mkdir()
    unpack(io.BytesIO(data), made, LIMITS, "code.zip")
    return names(made)


def test_a_zip_as_people_make_them_is_a_directory_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "shop.zip").write_bytes(
        zipped(
            ("main.py", "def handler(): return 1"), ("bin/run", "#!/bin/sh", 0o100755), ("lib/", ""), ("lib/a.py", ""),
            ("__MACOSX/._main.py", "x"), (".DS_Store", "x"), ("__pycache__/main.pyc", "x"), ("node_modules/x.js", "x"),
            ("common", "lib", LINK),
        )
    )  # fmt: skip
    with opened(tmp_path / "shop.zip") as code:
        assert code.path.name == "shop"
        assert code.notes == ()
        with tarfile.open(fileobj=io.BytesIO(pack(code.path))) as archive:
            assert archive.getnames() == ["bin/run", "common/a.py", "lib/a.py", "main.py"]
        assert (code.path / "bin" / "run").stat().st_mode & 0o777 == 0o755
        assert (code.path / "main.py").stat().st_mode & 0o777 == 0o644
    assert not code.path.exists()


def test_what_is_no_zip_is_left_as_it_is(tmp_path: Path) -> None:
    with opened(tmp_path) as code:
        assert code == Opened(tmp_path)


@each(
    "entries, top",
    [
        ([("repo-main/main.py", ""), ("repo-main/lib/a.py", "")], "repo-main"),
        ([("__MACOSX/x", ""), ("shop/main.py", "")], "shop"),
        ([("pkg/__init__.py", ""), ("pkg/main.py", "")], None),
        ([("repo/main.py", ""), ("README", "")], None),
        ([("src/pkg/main.py", "")], None),
    ],
)
def test_the_only_directory_of_a_zip_is_what_is_deployed(
    tmp_path: Path, entries: list[tuple[str, str]], top: str | None
) -> None:
    (tmp_path / "x.zip").write_bytes(zipped(*entries))
    with opened(tmp_path / "x.zip") as code:
        assert code.path.name == (top or "x")
        assert bool(code.notes) is (top is not None)


def test_names_mean_what_they_were_meant_to(tmp_path: Path) -> None:
    data = zipped(("lib\\a.py", ""), ("caf\xe9.py", ""), ("./x.py", ""))
    assert taken(tmp_path, data) == ["caf\xe9.py", "lib/a.py", "x.py"]


def test_utf_8_that_does_not_say_so_is_seen(tmp_path: Path) -> None:
    data = zipped(("cafe.py", "")).replace(b"cafe.py", "c\xe9e.py".encode()[:7].ljust(7, b"y"))
    assert taken(tmp_path, data) == ["c\xe9e.py"]


@each(
    "data, said",
    [
        (zipped(("../x.py", "")), "leads out"),
        (zipped(("a/../../x.py", "")), "leads out"),
        (zipped(("..\\x.py", "")), "leads out"),
        (zipped(("/etc/x.py", "")), "absolute"),
        (zipped(("C:\\x.py", "")), "absolute"),
        (zipped(("x", "/etc/passwd", LINK)), "leads out"),
        (zipped(("x", "../../secret", LINK)), "not in it"),
        (zipped(("x", "x", LINK)), "not in it"),
        (zipped(("x", "nothing", LINK)), "not in it"),
        (zipped(("x", "d", LINK), ("x/y", "")), "twice"),
        (zipped(("x", "", 0o020644)), "device"),
        (zipped(("x", ""), ("./x", "")), "twice"),
        (zipped(("a\x01b", "")), "characters"),
        (zipped(*((str(number), "") for number in range(21))), "more than 20 entries"),
        (zipped(("zeros", bytes(2 << 20))), "unpacks to more than 1 MB"),
        (bytes(2 << 20), "over 1 MB"),
        (b"", "no .zip"),
        (b"PK\x03\x04 and no more", "no .zip"),
        (zipped(("x", "abc" * 99))[:-30], "no .zip"),
    ],
)
def test_what_is_not_taken_is_refused(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises((BadRequest, PayloadTooLarge), match=said):
        taken(tmp_path, data)
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def patched(data: bytes, local: int, central: int, value: int) -> bytes:
    """Two bytes of the first entry's local and central header."""
    changed = bytearray(data)
    for at in (local, data.index(b"PK\x01\x02") + central):
        changed[at : at + 2] = struct.pack("<H", value)
    return bytes(changed)


def test_what_is_encrypted_or_packed_by_another_method_is_said(tmp_path: Path) -> None:
    plain = zipped(("x.py", "pass"))
    (tmp_path / "1").mkdir()
    with pytest.raises(BadRequest, match="encrypted"):
        taken(tmp_path / "1", patched(plain, 6, 8, 1))
    (tmp_path / "2").mkdir()
    with pytest.raises(BadRequest, match="by a method that is not taken"):
        taken(tmp_path / "2", patched(plain, 8, 10, 9))


def test_sizes_that_lie_are_counted_as_they_come(tmp_path: Path) -> None:
    data = zipped(("zeros", bytes(3 << 20)))
    at = data.index(b"PK\x01\x02") + 24
    with pytest.raises(AttaccaError):
        taken(tmp_path, data[:at] + struct.pack("<I", 10) + data[at + 4 :])
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) <= 1 << 20


def test_an_image_that_a_cluster_pulls_is_only_named() -> None:
    with pointed("ghcr.io/team/My.Shop:v1".lower()) as code:
        found = find(code.path, {}, name_of=code.called)
    assert found.settings.name == "my-shop"
    assert found.settings.runtime == "kubernetes"
    assert found.settings.image == "ghcr.io/team/my.shop:v1"
    assert not code.path.exists()
