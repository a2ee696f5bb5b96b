import gzip
import io
import os
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from attacca.errors import BadRequest, NotFound, PayloadTooLarge
from attacca.io.archive import pack, packed
from tests.cases import each

pytestmark = pytest.mark.long  # files are written and read


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
        file.truncate(5 << 20)
    tracemalloc.start()
    try:
        with packed(tmp_path) as archive:
            assert tracemalloc.get_traced_memory()[1] < 4 << 20
            assert names(archive.read()) == ["large.bin", "main.py"]
    finally:
        tracemalloc.stop()


def contents(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as file:
        found = {entry.name: file.extractfile(entry) for entry in file}
        return {name: b"" if content is None else content.read() for name, content in found.items()}


def test_a_link_to_a_directory_inside_is_that_directory_again(tmp_path: Path) -> None:
    root = tree(tmp_path / "root", "main.py", "lib/common/tax.py", "lib/common/deep/x.py")
    (root / "common").symlink_to("lib/common")
    (root / "a").symlink_to(root / "lib", target_is_directory=True)  # an absolute one
    (root / "lib" / "up.py").symlink_to("../main.py")
    os.link(root / "main.py", root / "hard.py")
    assert names(pack(root)) == [
        *("a/common/deep/x.py", "a/common/tax.py", "a/up.py", "common/deep/x.py", "common/tax.py", "hard.py"),
        *("lib/common/deep/x.py", "lib/common/tax.py", "lib/up.py", "main.py"),
    ]
    whole = tree(tmp_path / "whole", "main.py", "lib/common/tax.py")
    (tmp_path / "alias").symlink_to(whole)
    assert names(pack(tmp_path / "alias")) == ["lib/common/tax.py", "main.py"]


@each(
    "name, points, said",
    [
        ("lib/self", ".", "lies in itself"),
        ("lib/up", "..", "lies in itself"),
        ("x", "x", "leads nowhere"),
        ("x", "main.py/", "leads nowhere"),
        ("x", "y" * 300, "leads nowhere"),
        ("x", "nowhere", "link to nowhere, which does not exist"),
        ("x", "..", "leads out"),
        ("x", "/etc", "leads out"),
        ("x", "/etc/passwd", "leads out"),
        ("lib/x", "../../outside.py", "leads out"),
    ],
)
def test_links_that_lead_out_or_nowhere_or_round_are_named(tmp_path: Path, name: str, points: str, said: str) -> None:
    root = tree(tmp_path / "root", "main.py", "lib/a.py")
    tree(tmp_path, "outside.py")
    (root / name).symlink_to(points)
    with pytest.raises(BadRequest, match=said):
        pack(root)
    (root / ".attaccaignore").write_text(f"/{name}\n")
    assert names(pack(root)) == ["lib/a.py", "main.py"]


def test_links_cannot_make_much_of_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attacca.io.archive.LINKS", 100)
    for depth in range(12):
        (tmp_path / f"d{depth}").mkdir()
        for name in "ab":
            (tmp_path / f"d{depth}" / name).symlink_to(f"../d{depth + 1}")
    tree(tmp_path, "d12/x.py")
    with pytest.raises(PayloadTooLarge, match="more than 100 links"):
        pack(tmp_path)


def test_many_files_are_refused_with_a_count_and_their_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("attacca.io.archive.FILES", 10)
    tree(tmp_path, "main.py", *(f"data/{number}" for number in range(20)))
    with pytest.raises(PayloadTooLarge, match=r"more than 10 files in .*, \d+ files or more in .*data"):
        pack(tmp_path)
    (tmp_path / ".attaccaignore").write_text("data/\n")
    assert names(pack(tmp_path)) == ["main.py"]


def test_a_link_that_git_could_not_make_is_taken_for_one_and_said(tmp_path: Path) -> None:
    tree(tmp_path, "main.py", "lib/common/tax.py", "data/v1/x.csv")
    (tmp_path / "common").write_text("lib/common")
    others = {
        "current": "data/v1", "notes": "lib/common\n", "common.txt": "lib/common", "lib_": "lib", "out": "../..",
        "VERSION": "1.0", "blob": "\0\xff", "none": "lib/nothing",
    }  # fmt: skip
    for name, words in others.items():
        (tmp_path / name).write_text(words)
    notes: list[str] = []
    with packed(tmp_path, notes) as archive:
        found = contents(archive.read())
    assert "common/tax.py" in found
    assert "common" not in found
    assert {name: found[name] for name in others} == {name: words.encode() for name, words in others.items()}
    assert notes == ["common is a file that names a directory, as git leaves a link: taken for the link"]


def test_what_lies_beside_a_single_file_is_said_to_stay_behind(tmp_path: Path) -> None:
    tree(tmp_path, "hello.py", "requirements.txt")
    notes: list[str] = []
    with packed(tmp_path / "hello.py", notes):
        pass
    assert len(notes) == 1
    assert notes[0].startswith("requirements.txt beside hello.py stays behind")


def test_an_ignore_file_with_a_mark_is_read(tmp_path: Path) -> None:
    tree(tmp_path, "main.py", "data")
    (tmp_path / ".attaccaignore").write_bytes(b"\xef\xbb\xbfdata\r\n")
    assert names(pack(tmp_path)) == ["main.py"]
