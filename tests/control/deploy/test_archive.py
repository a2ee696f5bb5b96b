import gzip
import io
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from attacca.control.config import ArchiveLimits
from attacca.control.deploy.archive import Unpacked, _Careful, _Headers, unpack
from attacca.errors import AttaccaError, BadRequest, PayloadTooLarge
from attacca.io.archive import pack
from tests.cases import each

LIMITS = ArchiveLimits(packed_mb=1, unpacked_mb=2, entries=50)


def entry(name: str, content: bytes = b"x", kind: bytes = tarfile.REGTYPE, mode: int = 0o644, link: str = "") -> bytes:
    """One tar entry, written by hand so that nothing in it is corrected."""
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.linkname = kind, mode, len(content), link
    padding = b"\0" * (-len(content) % 512)
    return info.tobuf(tarfile.GNU_FORMAT) + content + padding


def archive(*entries: bytes) -> bytes:
    return gzip.compress(b"".join(entries) + b"\0" * 1024)


def take(directory: Path, *entries: bytes) -> Unpacked:
    return unpack(archive(*entries), directory / "made", LIMITS)


def test_what_was_packed_comes_out_again(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "a").mkdir(parents=True)
    (source / "a" / "b.py").write_text("print()")
    (source / "run").write_text("#!")
    (source / "run").chmod(0o700)
    unpacked = unpack(pack(source), tmp_path / "made", LIMITS)
    assert (unpacked.files, unpacked.modules, unpacked.bytes) == (2, 1, 9)
    assert (tmp_path / "made" / "a" / "b.py").read_text() == "print()"
    assert (tmp_path / "made" / "run").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "made" / "a" / "b.py").stat().st_mode & 0o777 == 0o644
    assert sorted(os.listdir(tmp_path)) == ["made", "source"]


def test_the_digest_is_of_paths_contents_and_executable_bits_alone(tmp_path: Path) -> None:
    first, second = entry("a", b"1"), entry("b", b"2")

    def digest(name: str, *entries: bytes) -> str:
        return unpack(archive(*entries), tmp_path / name, LIMITS).digest

    same = digest("1", first, second)
    assert digest("2", second, first) == same
    assert digest("3", entry("./a", b"1", mode=0o600), second, entry("d/", b"", tarfile.DIRTYPE)) == same
    assert digest("4", entry("a", b"1", mode=0o755), second) != same
    assert digest("5", entry("a", b"2"), entry("b", b"1")) != same
    assert digest("6", entry("a", b"1"), entry("c", b"2")) != same


@each(
    "bad, said",
    [
        (entry("/abs"), "absolute"),
        (entry("../../escape"), "leads out"),
        (entry("link", b"", tarfile.SYMTYPE, link="/etc/passwd"), "link"),
        (entry("link", b"", tarfile.LNKTYPE, link="ok"), "link"),
        (entry("dev", b"", tarfile.CHRTYPE), "device"),
        (entry("pipe", b"", tarfile.FIFOTYPE), "device"),
        (entry("ok"), "twice"),
        (entry("ok/under"), "twice"),
        (entry("n" * 300), "too long"),
        (entry("deep/" * 90 + "x"), "too long or too deep"),
    ],
)
def test_archives_that_want_to_break_out_are_refused(tmp_path: Path, bad: bytes, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        take(tmp_path, entry("ok"), bad)
    assert not (tmp_path.parent / "escape").exists()


def test_a_link_and_then_a_file_through_it_writes_nothing_outside(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    with pytest.raises(BadRequest):
        take(tmp_path, entry("door", b"", tarfile.SYMTYPE, link=str(outside)), entry("door/x"))
    assert os.listdir(outside) == []


@each(
    "data",
    [b"", b"not gzip", gzip.compress(b""), gzip.compress(b"not tar" * 200), archive(entry("a"))[:-20],
     gzip.compress(entry("a", b"x" * 2000)[:1000]), gzip.compress(b"\0" * 1024)],

)  # fmt: skip
def test_what_is_no_archive_is_refused_clearly(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BadRequest) as caught:
        unpack(data, tmp_path / "made", LIMITS)
    assert caught.value.hint


def too_many() -> bytes:
    return archive(*(entry(str(number)) for number in range(51)))


def bomb() -> bytes:
    return archive(entry("zeros", b"\0" * (4 << 20)))


def header_bomb() -> bytes:
    return archive(entry("././@LongLink", b"a" * (1 << 21), tarfile.GNUTYPE_LONGNAME), entry("x"))


def huge_claim() -> bytes:
    info = tarfile.TarInfo("claim")
    info.size = 1 << 40
    return archive(info.tobuf(tarfile.GNU_FORMAT))


@pytest.mark.long
@pytest.mark.parametrize("make", [too_many, bomb, header_bomb, huge_claim])
def test_bombs_are_refused_before_they_go_off(tmp_path: Path, make: Callable[[], bytes]) -> None:
    with pytest.raises(AttaccaError) as caught:
        unpack(make(), tmp_path / "made", LIMITS)
    assert isinstance(caught.value, (BadRequest, PayloadTooLarge))
    assert sum(path.stat().st_size for path in (tmp_path / "made").rglob("*") if path.is_file()) <= 2 << 20


@pytest.mark.long
def test_extended_headers_without_end_are_refused(tmp_path: Path) -> None:
    header = entry("x", b"11 path=ab\n", tarfile.XHDTYPE)
    with pytest.raises(BadRequest, match="extended headers"):
        take(tmp_path, *[header] * 1500, entry("main.py"))


def test_many_entries_are_counted_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(PayloadTooLarge, match="more than 50 entries"):
        unpack(too_many(), tmp_path / "made", LIMITS)
    assert os.listdir(tmp_path) == []


@each("piece", [1, 511, 512, 513, 10_000])
def test_headers_are_counted_however_they_come(piece: int) -> None:
    data = (
        entry("a", b"x" * 513) + entry("././@LongLink", b"l" * 600, tarfile.GNUTYPE_LONGNAME) + entry("b", b"")
        + entry("d/", b"", tarfile.DIRTYPE) + entry("c", b"1")
    )  # fmt: skip
    headers = _Headers()
    counts = [headers.count(data[at : at + piece]) for at in range(0, len(data), piece)]
    assert counts[-1] == 4
    assert headers.count(bytes(512) + entry("e", b"")) == 4  # behind the end


def test_a_zip_is_told_from_what_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"a \.zip, and the server takes \.tar\.gz"):
        unpack(b"PK\x03\x04" + bytes(100), tmp_path / "made", LIMITS)


def test_an_upload_over_the_limit_is_refused_unread(tmp_path: Path) -> None:
    with pytest.raises(PayloadTooLarge, match="over 1 MB"):
        unpack(b"\0" * ((1 << 20) + 1), tmp_path / "made", LIMITS)


def test_stale_bytecode_is_left_behind(tmp_path: Path) -> None:
    take(tmp_path, entry("a.py"), entry("__pycache__/a.cpython-311.pyc"), entry("b.pyc"))
    assert os.listdir(tmp_path / "made") == ["a.py"]


def test_a_pax_archive_with_long_and_foreign_names_is_read(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", format=tarfile.PAX_FORMAT) as made:
        info = tarfile.TarInfo("é" * 60 + "/x.py")
        info.size = 1
        made.addfile(info, io.BytesIO(b"1"))
    assert unpack(buffer.getvalue(), tmp_path / "made", LIMITS).files == 1


def test_a_header_that_points_to_before_the_beginning_is_refused() -> None:
    with pytest.raises(ValueError, match="before its beginning"):
        _Careful(io.BytesIO(b"x")).seek(-1)
