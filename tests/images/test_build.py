import os
from pathlib import Path

import pytest

from attacca.errors import BadConfig
from attacca.images.build import Base, Plan, build, image, scratch
from attacca.images.core.layers import Limits
from attacca.images.core.manifests import Configuration, Execution
from attacca.images.host_python import around, files
from attacca.images.packing import Item, directory, pack, padding, symlink
from attacca.images.unpack import Tar, unpack
from tests.images.stage import store

pytestmark = pytest.mark.long  # files are written and read


def program(tmp_path: Path, name: str = "bootstrap") -> Path:
    code = tmp_path / "code"
    (code / "data").mkdir(parents=True, exist_ok=True)
    (code / name).write_text("#!/bin/sh\n")
    (code / name).chmod(0o700)
    (code / "data" / "a.txt").write_text("1")
    (code / "old.pyc").write_text("left out")
    return code


def test_the_same_files_are_the_same_bytes(tmp_path: Path) -> None:
    code, digests = program(tmp_path), []
    for number in range(2):
        images = store(tmp_path / str(number))
        os.utime(code / "bootstrap", (number, number))
        digest, manifest = build(code, scratch(), Plan(env=("A=1",), labels={"l": "m"}, pad_bytes=3000), images)
        digests.append(digest)
        assert images.config(manifest).command == ("/app/bootstrap",)
        assert images.config(manifest).env == ("A=1",)
        assert len(manifest.layers) == 2
        assert manifest.layers[1].size > 3000
    assert digests[0] == digests[1]
    above, _ = build(code, image(images, digest), Plan(command=("/app/bootstrap", "x")), images)
    assert len(images.manifest(above)[1].layers) == 3
    assert images.config(images.manifest(above)[1]).variables == {"A": "1"}


def test_what_is_to_run_is_said_or_found(tmp_path: Path) -> None:
    images, code = store(tmp_path), program(tmp_path, "other")
    with pytest.raises(BadConfig, match="nothing says what is to run"):
        build(code, scratch(), Plan(), images)
    _, handled = build(code, scratch(), Plan(labels={"attacca.contract": "guest"}), images)
    assert images.config(handled).entrypoint is None
    below = Base(configuration=Configuration(config=Execution(cmd=["/bin/run"], env=["A=0", "B=0"])))
    _, manifest = build(code, below, Plan(env=("A=1",)), images)
    found = images.config(manifest)
    assert (found.command, found.variables, found.working_dir) == (("/bin/run",), {"A": "1", "B": "0"}, "/app")


def test_what_is_packed_comes_out_again(tmp_path: Path) -> None:
    images = store(tmp_path)
    items = [
        Item("b/c", mode=0o755, source=b"1"),
        symlink("a", "b/c"),
        directory("tmp", 0o1777),
        Item("b/c", source=b"2"),
    ]
    layer = pack(items, images.blobs)
    (tmp_path / "root").mkdir()
    unpack([Tar(images.blobs.path(layer.descriptor.digest), "gzip", layer.diff_id)], tmp_path / "root", Limits())
    assert (tmp_path / "root" / "a").read_text() == "2"
    assert (tmp_path / "root" / "tmp").stat().st_mode & 0o7777 == 0o1777
    assert (tmp_path / "root" / "b").stat().st_mode & 0o7777 == 0o755


def test_padding_is_as_long_as_it_is_to_be() -> None:
    for size in (0, 1, 1 << 20, (1 << 20) + 5):
        assert sum(map(len, padding(size))) == size


def test_of_a_library_what_runs(tmp_path: Path) -> None:
    for name in ("a.py", "test/b.py", "lib-dynload/c.so", "config-3.11/libpython.a", "d.pyc"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert [str(path.relative_to(tmp_path)) for path in files(tmp_path)] == ["a.py", "lib-dynload/c.so"]
    assert {"tmp", "etc/passwd", "usr/bin/python3"} <= {item.name for item in around()}
