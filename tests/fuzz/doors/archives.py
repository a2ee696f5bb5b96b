"""An uploaded archive: whatever is in it, nothing lands outside, nothing but plain files lands inside, and not much."""

import gzip
import io
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
from pathlib import Path
from random import Random

from attacca.control.config import ArchiveLimits
from attacca.control.deploy.archive import Unpacked, unpack
from attacca.errors import BadRequest, PayloadTooLarge
from attacca.io.archive import pack
from tests.fuzz.door import Door, refusal
from tests.fuzz.mutation import NUMBERS, mutate

LIMITS = ArchiveLimits(packed_mb=1, unpacked_mb=1, entries=40, path_bytes=200, depth=6)
BLOCK = 512
TAR, RAW = b"t", b"r"  # the first byte of an input: is the rest a tar to be compressed, or what is sent as it is?
NAMES = (
    *(
        "main.py",
        "a/b.py",
        "a",
        "a/",
        "./a",
        "a//b",
        "/a",
        "//a",
        "..",
        "../a",
        "a/../b",
        "a/../../b",
        ".",
        "./",
        "",
        " ",
    ),
    *("a\\b", "C:\\a", "a\x00b", "a\nb", "a\x1b[2J", "é.py", "e\u0301.py", "\udc80", "n" * 99, "n" * 100, "n" * 255),
    *(
        "n" * 256,
        "d/" * 5 + "f",
        "d/" * 6 + "f",
        "p" * 155 + "/" + "n" * 99,
        "__pycache__/a.pyc",
        ".git/config",
        "a.pyc",
    ),
    *("requirements.txt", "function.toml", "con", "a.", "made/../../x", "/proc/self/mem", "main.py/", "MAIN.PY"),
)
TYPES = b"0\x001234567xgLKSVDNMA\xff"
PAX = (
    *("path", "size", "linkpath", "GNU.sparse.map", "GNU.sparse.major", "GNU.sparse.minor", "GNU.sparse.realsize"),
    *("GNU.sparse.name", "GNU.sparse.size", "GNU.sparse.numblocks", "hdrcharset", "mtime", "uid", "mode", "charset"),
)


class Archives(Door):
    name = "archives"
    largest = 48 * 1024
    words = tuple(name.encode("utf-8", "surrogateescape") for name in NAMES if name)

    def open(self) -> None:
        self._room = Path(tempfile.mkdtemp(prefix="attacca-fuzz-"))
        self._canary = self._room / "outside" / "canary"
        self._canary.parent.mkdir()
        self._canary.write_text("sings")
        self._before = tree(self._room)

    def close(self) -> None:
        shutil.rmtree(self._room)

    def seeds(self) -> list[bytes]:
        source = self._room.with_name(self._room.name + "-source")
        (source / "a" / "b").mkdir(parents=True)
        try:
            (source / "main.py").write_text("def handler(): return 1\n")
            (source / "a" / "b" / ("é" * 60)).write_text("long")
            (source / "run").write_text("#!/bin/sh\n")
            (source / "run").chmod(0o755)
            packed = pack(source)
        finally:
            shutil.rmtree(source)
        large = b"".join(entry(f"f{number}.py", b"x" * 600) for number in range(30))
        return [
            RAW + packed,
            TAR + gzip.decompress(packed),
            TAR + entry("main.py", b"pass\n") + end(),
            TAR + entry("./d/", kind=b"5") + entry("d/main.py", b"pass\n", mode=0o777) + end(),
            TAR + pax({"path": "p/é.py"}) + entry("x", b"1") + end(),
            TAR + entry("././@LongLink", b"l" * 120 + b"\0", kind=b"L") + entry("x", b"1") + end(),
            TAR + large + end(),
            TAR + entry("data.bin", bytes(range(256)) * 180) + end(),
        ]

    def traps(self) -> list[bytes]:
        zipped = io.BytesIO()
        with zipfile.ZipFile(zipped, "w") as file:
            file.writestr("../main.py", "pass")
        many = [entry(str(number)) for number in range(LIMITS.entries + 1)]
        return [
            RAW + zipped.getvalue(),
            RAW + gzip.compress(bytes(4 << 20)),
            RAW + gzip.compress(entry("zeros", bytes(2 << 20)) + end()),
            RAW + gzip.compress(gzip.compress(entry("a", b"1") + end())),
            RAW + gzip.compress(entry("a", b"1")) + gzip.compress(end()),
            RAW + gzip.compress(entry("a", b"1") + end()) + b"rest",
            TAR + b"".join(many) + end(),
            TAR + pax({"path": "x"}) * 90 + entry("a", b"1") + end(),
            TAR + pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}) + entry("s", b"9" * 512) + end(),
            *(
                TAR + entry("door", kind=kind, link="../outside") + entry("door/canary", b"x") + end()
                for kind in (b"1", b"2")
            ),
        ]

    def make(self, chance: Random, corpus: list[bytes]) -> bytes:
        if chance.random() < 0.4:
            return TAR + drawn(chance)[: self.largest]
        data = mutate(chance, corpus, self.words)[: self.largest]
        return repaired(data) if data[:1] == TAR and chance.random() < 0.8 else data

    def check(self, data: bytes) -> str:
        sent = gzip.compress(data[1:], 1, mtime=0) if data[:1] == TAR else data[1:]
        made = self._room / "made"
        try:
            unpacked = unpack(sent, made, LIMITS)
        except (BadRequest, PayloadTooLarge) as error:
            sound(made)
            return refusal(error)
        else:
            found = sound(made)
            agrees(unpacked, found, made)
            same_again(unpacked, found, self._room)
            reads_the_same(sent, found, self._room)
            return "taken"
        finally:
            shutil.rmtree(made, ignore_errors=True)
            assert tree(self._room) == self._before, "something is left outside, or behind"


# The oracle.


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    """Everything below, without following a link."""
    found = {}
    for path in sorted(root.rglob("*")):
        mode = path.lstat().st_mode
        found[str(path.relative_to(root))] = mode, path.read_bytes() if stat.S_ISREG(mode) else b""
    return found


def sound(made: Path) -> dict[str, tuple[int, bytes]]:
    """What was written is within the limits, and of the two harmless kinds."""
    found = tree(made)
    files = {path: content for path, (mode, content) in found.items() if stat.S_ISREG(mode)}
    for path, (mode, _) in found.items():
        allowed = (0o100644, 0o100755) if path in files else (0o040755,)
        assert mode in allowed, f"{path!r} has mode {mode:o}"
        assert path.count("/") < LIMITS.depth, f"{path!r} is too deep"
        assert path.isprintable() or not any(ord(char) < 32 for char in path), f"{path!r} is not for a screen"
    assert len(files) <= LIMITS.entries, "more files than it may have"
    assert sum(map(len, files.values())) <= LIMITS.unpacked_mb << 20, "more bytes than it may have"
    return found


def agrees(unpacked: Unpacked, found: dict[str, tuple[int, bytes]], made: Path) -> None:
    files = {path: content for path, (mode, content) in found.items() if stat.S_ISREG(mode)}
    assert unpacked.files == len(files) > 0, "it counts files that are not there"
    assert unpacked.bytes == sum(map(len, files.values())), "it counts bytes that are not there"
    assert unpacked.modules == sum(path.endswith(".py") for path in files), "it counts modules that are not there"
    assert all(path.resolve().is_relative_to(made.resolve()) for path in made.rglob("*")), "a path leads out"


def same_again(unpacked: Unpacked, found: dict[str, tuple[int, bytes]], room: Path) -> None:
    """The digest is of what lies there, however it was packed."""
    packed = [entry(path, content, mode=mode & 0o777) for path, (mode, content) in found.items() if stat.S_ISREG(mode)]
    if any(len(os.fsencode(path)) > 100 for path in found):
        return
    again = room / "again"
    try:
        other = unpack(gzip.compress(b"".join(packed) + end(), 1), again, LIMITS)
        assert other == unpacked, "the same files have another digest"
        assert tree(again) == found, "the same files come out otherwise"
    finally:
        shutil.rmtree(again, ignore_errors=True)


def reads_the_same(sent: bytes, found: dict[str, tuple[int, bytes]], room: Path) -> None:
    """Python's own filter for archives that nobody trusts has nothing against what we took, and reads the same. Older
    Pythons have none."""
    if not hasattr(tarfile, "data_filter"):
        return
    theirs = room / "theirs"
    theirs.mkdir()
    try:
        with tarfile.open(fileobj=io.BytesIO(sent), mode="r:gz") as archive:
            wanted = [one for one in archive if one.isreg() and plain(one.name) in found]
            archive.extractall(theirs, [one.replace(mtime=0) for one in wanted], filter="data")
        other = tree(theirs)
        for path, (_, content) in other.items():
            assert path in found, f"Python's filter finds {path!r}"
            assert found[path][1] == content, f"Python's filter reads {path!r} otherwise"
    finally:
        shutil.rmtree(theirs)


def plain(name: str) -> str:
    """Without dots that mean nothing. A file that calls itself a directory is a file to us, and not to Python."""
    return os.path.normpath(name) if not name.endswith(("/", "/.")) else ""


# Archives by the letter.


def end() -> bytes:
    return bytes(2 * BLOCK)


def entry(name: str, content: bytes = b"", *, kind: bytes = b"0", mode: int = 0o644, link: str = "") -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.size, info.linkname = kind, mode, len(content), link
    return info.tobuf(tarfile.GNU_FORMAT, errors="surrogateescape") + content + bytes(-len(content) % BLOCK)


def pax(records: dict[str, str], kind: bytes = b"x") -> bytes:
    text = b""
    for key, value in records.items():
        record = f" {key}={value}\n".encode("utf-8", "surrogateescape")
        size = len(record)
        while len(str(size)) + len(record) != size:
            size = len(str(size)) + len(record)
        text += str(size).encode() + record
    return entry("pax", text, kind=kind)


def drawn(chance: Random) -> bytes:
    """Entries with names, kinds and sizes that do not go together."""
    whole = b""
    for _ in range(chance.randint(1, 6)):
        if chance.random() < 0.3:
            whole += pax(
                {chance.choice(PAX): chance.choice((*NUMBERS, *NAMES)) for _ in range(2)}, chance.choice((b"x", b"g"))
            )
        name, kind = chance.choice(NAMES), bytes((chance.choice(TYPES),)) if chance.random() < 0.4 else b"0"
        content = bytes(chance.randrange(256) for _ in range(chance.choice((0, 1, 511, 512, 513))))
        made = bytearray(
            entry(name, content, kind=kind, mode=chance.choice((0, 0o644, 0o7777)), link=chance.choice(NAMES))
        )
        if chance.random() < 0.3:  # a size, mode or time that is none
            at = chance.choice((100, 124, 136, 345))
            field = chance.choice(
                (b"7" * 11, b"\x80" + b"\xff" * 11, b"\xff" * 12, b"-1", b" ", b"9" * 11, b"\x80" + bytes(10) + b"\x05")
            )
            made[at : at + len(field)] = field
        whole += made
    whole += end() if chance.random() < 0.9 else b""
    return repaired(TAR + whole)[1:]


def repaired(data: bytes) -> bytes:
    """With checksums that are right: else nothing behind them is ever reached."""
    fixed = bytearray(data)
    for at in range(1, len(fixed) - BLOCK + 1, BLOCK):
        if fixed[at + 257 : at + 262] == b"ustar":
            fixed[at + 148 : at + 156] = b" " * 8
            fixed[at + 148 : at + 156] = b"%06o\0 " % sum(fixed[at : at + BLOCK])
    return bytes(fixed)
