import contextlib
import gzip
import io
import tarfile
from pathlib import Path

import pytest

from attacca.errors import BadImage
from attacca.images.core.layers import Limits
from attacca.images.tree import Tree
from attacca.images.unpack import Inside, Tar, Unpacked, unpack
from tests.cases import each
from tests.images.stage import directory, entry, layer, link, sha, symlink

pytestmark = pytest.mark.long  # files are written and read

SMALL = Limits(unpacked_bytes=1 << 20, entries=50)


def put(tmp_path: Path, *layers: bytes, limits: Limits = SMALL) -> Unpacked:
    made = []
    for number, one in enumerate(layers):
        path = tmp_path / str(number)
        path.write_bytes(one)
        made.append(Tar(path, "", sha(one)))
    (tmp_path / "root").mkdir()
    (tmp_path / "outside").mkdir()
    return unpack(made, tmp_path / "root", limits)


def tree(tmp_path: Path) -> list[str]:
    root = tmp_path / "root"
    return sorted(
        str(path.relative_to(root)) + "/" * (path.is_dir() and not path.is_symlink()) for path in root.rglob("*")
    )


BASE = layer(
    directory("etc"), entry("etc/a", b"1"), entry("etc/b", b"2"), directory("usr/lib"), symlink("lib", "usr/lib")
)


@each(
    "over, wanted",
    [
        ([entry("etc/.wh.a")], ["etc/", "etc/b"]),
        ([entry(".wh.etc")], []),
        ([entry("etc/.wh..wh..opq"), entry("etc/c")], ["etc/", "etc/c"]),
        ([entry("etc/c"), entry("etc/.wh..wh..opq")], ["etc/", "etc/c"]),  # wherever it stands in its layer
        ([entry("etc/a"), entry("etc/.wh.a")], ["etc/", "etc/a", "etc/b"]),  # what is of the same layer stays
        ([entry("etc/a/b")], ["etc/", "etc/a/", "etc/a/b", "etc/b"]),
        ([entry("etc", b"file")], ["etc"]),
        ([entry("nowhere/.wh.a")], ["etc/", "etc/a", "etc/b"]),
        ([entry("lib/x")], ["etc/", "etc/a", "etc/b", "usr/lib/x"]),  # through the link, as in a container
        ([entry("lib/.wh.x"), link("etc/d", "etc/a")], ["etc/", "etc/a", "etc/b", "etc/d"]),
    ],
)
def test_layers_lie_on_one_another(over: list[bytes], wanted: list[str], tmp_path: Path) -> None:
    put(tmp_path, BASE, layer(*over))
    assert tree(tmp_path) == sorted([*wanted, "lib", "usr/", "usr/lib/"])


@each(
    "entries",
    [
        [symlink("door", "../outside"), entry("door/x")],
        [symlink("door", "/../../outside"), entry("door/x")],
        [symlink("a", "/"), symlink("a/../door", "x")],
        [symlink("a", ".."), symlink("b", "a/.."), entry("b/outside/x")],
        [symlink("door", "../outside/x"), entry("door", b"through")],
        [symlink("door", "../outside"), entry("door/.wh.canary"), entry("door/.wh..wh..opq")],
        [symlink("door", "../outside"), link("inner", "door/canary")],
        [symlink("x", "x"), entry("x/y")],
    ],
)
def test_nothing_leads_out(entries: list[bytes], tmp_path: Path) -> None:
    (tmp_path / "canary").write_text("sings")
    with contextlib.suppress(BadImage):
        put(tmp_path, layer(*entries))
    assert list((tmp_path / "outside").iterdir()) == []
    assert (tmp_path / "canary").read_text() == "sings"


def test_what_was_written_is_what_it_said(tmp_path: Path) -> None:
    told = put(tmp_path, layer(entry("run", b"#!", mode=0o4755), directory("tmp", 0o1777), link("again", "run")))
    run = (tmp_path / "root" / "run").stat()
    assert (run.st_mode & 0o7777, run.st_mtime, run.st_nlink, run.st_size) == (0o755, 1000, 2, 2)
    assert (tmp_path / "root" / "tmp").stat().st_mode & 0o7777 == 0o1777
    assert told == Unpacked(3, 3 * 512 + 512 + 1024)


def bomb() -> bytes:
    return gzip.compress(layer(entry("zeros", bytes(2 << 20))))


@each(
    "data, compression, complaint",
    [
        (layer(*(entry(str(number)) for number in range(51))), "", "more entries"),
        (bomb(), "gzip", "unpacks to more"),
        (gzip.compress(bytes(2 << 20)), "gzip", "unpacks to more"),
        (gzip.compress(layer(entry("a")))[:-20], "gzip", "ends too early"),
        (b"PK", "gzip", "not gzip data"),
        (layer(entry("a", b"x" * 600))[:700], "", "ends within|cannot be read"),
        (b"rubbish" * 200, "", "cannot be read"),
        (layer(entry("x", bytes(2 << 20), kind=b"x")), "", "extended header of 2097152 bytes"),
        (layer(directory("a"), entry("a", b"x")), "", "something else in one layer"),
        (layer(link("a", "nothing")), "", "which is no file"),
        (layer(entry("s", bytes(512), kind=tarfile.GNUTYPE_SPARSE)), "", "sparse|cannot be read"),
    ],
)
def test_what_is_refused(data: bytes, compression: str, complaint: str, tmp_path: Path) -> None:
    (tmp_path / "layer").write_bytes(data)
    (tmp_path / "root").mkdir()
    plain = gzip.decompress(data) if compression and complaint == "unpacks to more" else data
    with pytest.raises(BadImage, match=complaint):
        unpack([Tar(tmp_path / "layer", compression, sha(plain))], tmp_path / "root", SMALL)


def test_who_leads_round_about_is_not_followed_for_ever(tmp_path: Path) -> None:
    """Each look at what is below a directory, and each step on the way that links make of a path, is counted."""
    around = symlink("far", "near/../" * 100 + "near")
    again = [one for number in range(100) for one in (symlink(str(number), "x"), entry(f"far/{number}"))]
    with pytest.raises(BadImage, match="more than anybody follows"):
        put(tmp_path, layer(directory("near"), around, *again), limits=Limits(steps=10_000))


def test_what_is_emptied_again_and_again_is_looked_at_once(tmp_path: Path) -> None:
    many = [entry(f"etc/{number}") for number in range(500)]
    put(tmp_path, BASE, layer(*many, *[entry("etc/.wh..wh..opq")] * 500), limits=Limits(steps=2000))
    assert len(tree(tmp_path)) == 500 + 4


def test_a_layer_that_is_another_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "layer").write_bytes(BASE)
    (tmp_path / "root").mkdir()
    with pytest.raises(BadImage, match="not what the image says"):
        unpack([Tar(tmp_path / "layer", "", sha(b""))], tmp_path / "root", SMALL)


def test_several_gzip_files_in_a_row_are_one_layer(tmp_path: Path) -> None:
    halves = gzip.compress(BASE[:700]) + gzip.compress(BASE[700:])
    inside = Inside(io.BytesIO(halves), "gzip", 1 << 20)
    assert inside.read(600) == BASE[:600]
    inside.drain()
    assert inside.digest == sha(BASE)
    assert repr(inside) == f"<Inside {len(BASE)} bytes read>"
    assert repr(Tree(str(tmp_path), 1, is_root=False)) == "<Tree 0 made by the last layer>"
