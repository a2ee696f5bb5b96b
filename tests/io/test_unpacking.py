import io
import os
import stat
import tarfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from attacca.io.unpacking import unpack
from tests.cases import each


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.mode, made.uid, made.uname = kind, link, mode, 12345, "nobody"
    return made


def unpacked(entries: Sequence[tarfile.TarInfo], into: Path) -> Path:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for one in entries:
            archive.addfile(one)
    whole.seek(0)
    into.mkdir()
    with tarfile.open(fileobj=whole) as archive:
        unpack(archive, into)
    return into


def test_files_directories_and_links_that_stay_inside_come_with_one_bit_of_their_modes(tmp_path: Path) -> None:
    directory = entry("package", tarfile.DIRTYPE, mode=0o700)
    files = [entry("package/tool", mode=0o6777), entry("package/data", mode=0o600)]
    links = [entry("package/soft", tarfile.SYMTYPE, "../package/tool"), entry("hard", tarfile.LNKTYPE, "package/data")]
    into = unpacked([entry(".", tarfile.DIRTYPE), directory, *files, *links], tmp_path / "into")
    modes = {name: stat.S_IMODE((into / name).stat().st_mode) for name in ("package", "package/tool", "package/data")}
    assert modes == {"package": 0o755, "package/tool": 0o755, "package/data": 0o644}
    assert os.readlink(into / "package/soft") == "../package/tool"
    assert (into / "hard").samefile(into / "package/data")
    assert {(path.lstat().st_uid, path.lstat().st_gid) for path in into.rglob("*")} == {(os.geteuid(), os.getegid())}


@each(
    "entries, why",
    [
        ([entry("../out")], "leads outside"),
        ([entry("/out")], "leads outside"),
        ([entry("up", tarfile.SYMTYPE, "..")], "leads outside"),
        ([entry("up", tarfile.SYMTYPE, "/etc")], "leads outside"),
        ([entry("here", tarfile.SYMTYPE, "."), entry("far", tarfile.SYMTYPE, "here/../..")], "leads outside"),
        ([entry("hard", tarfile.LNKTYPE, "../out")], "leads outside"),
        ([entry("pipe", tarfile.FIFOTYPE)], "no file, directory or link"),
        ([entry("disk", tarfile.BLKTYPE)], "no file, directory or link"),
    ],
)
def test_whatever_else_is_refused(tmp_path: Path, entries: Sequence[tarfile.TarInfo], why: str) -> None:
    with pytest.raises(tarfile.ExtractError, match=why):
        unpacked(entries, tmp_path / "into")
    assert list(tmp_path.iterdir()) == [tmp_path / "into"]
