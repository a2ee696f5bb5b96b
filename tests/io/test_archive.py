import gzip
import io
import os
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from attacca.errors import BadRequest, NotFound
from attacca.io.archive import pack, packed


def tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def names(packed: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed))) as archive:
        return archive.getnames()


def test_a_directory_is_packed_without_what_no_server_needs(tmp_path: Path) -> None:
    tree(tmp_path, "main.py", "a/b.py", "a/__pycache__/b.cpython-311.pyc", ".git/HEAD", ".venv/x", "node_modules/y")
    assert names(pack(tmp_path)) == ["a/b.py", "main.py"]


def test_a_file_is_packed_alone(tmp_path: Path) -> None:
    tree(tmp_path, "hello.py", "other.py")
    assert names(pack(tmp_path / "hello.py")) == ["hello.py"]


def test_attaccaignore_leaves_out_what_it_lists(tmp_path: Path) -> None:
    tree(tmp_path, "main.py", "data.csv", "a/data.csv", "build/x", "a/build/y", "raw", "a/raw", "keep/notes", "notes")
    (tmp_path / ".attaccaignore").write_text("# not needed\n*.csv\nbuild/\n/raw\nkeep/notes\n")
    assert names(pack(tmp_path)) == ["a/raw", "main.py", "notes"]


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    one, other = tree(tmp_path / "1", "a.py", "b.py"), tree(tmp_path / "2", "b.py", "a.py")
    os.utime(other / "a.py", (1, 1))
    assert pack(one) == pack(other)
    (other / "a.py").chmod(0o755)
    assert pack(one) != pack(other)


def test_links_inside_are_followed_and_links_out_are_named(tmp_path: Path) -> None:
    root = tree(tmp_path / "root", "main.py")
    tree(tmp_path, "secret")
    (root / "alias.py").symlink_to("main.py")
    assert names(pack(root)) == ["alias.py", "main.py"]
    (root / "leak").symlink_to("../secret")
    with pytest.raises(BadRequest, match=r"leak is a link that leads out"):
        pack(root)


def test_what_cannot_be_packed_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        pack(tmp_path / "nowhere")
    with pytest.raises(BadRequest, match="nothing to deploy"):
        pack(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadRequest, match="pipe is neither"):
        pack(tmp_path)


def test_what_is_large_is_not_held_in_memory(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("pass\n")
    with (tmp_path / "large.bin").open("wb") as file:
        file.truncate(64 << 20)
    tracemalloc.start()
    try:
        with packed(tmp_path) as archive:
            assert tracemalloc.get_traced_memory()[1] < 16 << 20
            assert names(archive.read()) == ["large.bin", "main.py"]
    finally:
        tracemalloc.stop()
