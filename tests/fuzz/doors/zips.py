"""A .zip that somebody gave us: unpacked here, nothing lies outside, and what it is packed into a server takes."""

import io
import os
import shutil
import stat
import tempfile
import warnings
import zipfile
from pathlib import Path
from random import Random

from attacca.cli.functions.zipped import unpack
from attacca.control.config import ArchiveLimits
from attacca.control.deploy import archive
from attacca.errors import BadRequest, PayloadTooLarge
from attacca.io.archive import pack
from tests.fuzz.door import Door, refusal
from tests.fuzz.doors.archives import NAMES, sound, tree
from tests.fuzz.mutation import mutate

LIMITS = ArchiveLimits(packed_mb=1, unpacked_mb=1, entries=40, path_bytes=200, depth=6)
LINK, PIPE = 0o120777, 0o010644
WORDS = (*(name for name in NAMES if "\x00" not in name and "\udc80" not in name), "__MACOSX/._a", ".DS_Store", "d/..")
POINTS = ("a", ".", "..", "../outside", "d", "d/a", "main.py", "/etc/passwd", "x" * 300, "x" * 5000, "", "\n", "door")


class Zips(Door):
    name = "zips"
    largest = 48 * 1024
    words = (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"\x01\x00", b"\xff\xff\xff\xff", b"../a")

    def open(self) -> None:
        self._room = Path(tempfile.mkdtemp(prefix="attacca-fuzz-"))
        (self._room / "outside").mkdir()
        (self._room / "outside" / "canary").write_text("sings")
        self._before = tree(self._room)

    def close(self) -> None:
        shutil.rmtree(self._room)

    def seeds(self) -> list[bytes]:
        several = [("main.py", b"pass\n", 0o100644), ("d/a.py", b"x = 1\n", 0o100755), ("d/", b"", 0o040755)]
        return [
            zipped(several),
            zipped([*several, ("door", b"d", LINK), ("d/up", b"../main.py", LINK)]),
            zipped([("é.py", b"", 0), ("lib\\b.py", b"1", 0)], method=zipfile.ZIP_STORED),
            zipped([(f"f{number}.py", os.urandom(600), 0) for number in range(30)]),
            zipped([("data.bin", bytes(range(256)) * 180, 0)], method=zipfile.ZIP_STORED),
        ]

    def traps(self) -> list[bytes]:
        round_about = [(f"d{at}/{name}", f"../d{at + 1}".encode(), LINK) for at in range(18) for name in "ab"]
        return [
            zipped([("zeros", bytes(3 << 20), 0)]),
            zipped([(str(number), b"", 0) for number in range(LIMITS.entries + 1)]),
            zipped([*round_about, ("d18/x.py", b"", 0)]),
            zipped([("door", b"../outside", LINK), ("door/canary", b"x", 0)]),
            zipped([("door", b"../outside/canary", LINK)]),
            zipped([("d/self", b"..", LINK), ("a", b"1", 0)]),
            zipped([("a", b"a", LINK)]),
            zipped([("a", b"1", 0), ("x", b"a/", LINK)]),
            b"",
            b"PK\x05\x06" + bytes(18),
            b"PK\x05\x06" + b"\xff" * 18,
        ]

    def make(self, chance: Random, corpus: list[bytes]) -> bytes:
        if chance.random() < 0.5:
            kinds = (0, 0, 0o100644, 0o100755, 0o040755, LINK, LINK, PIPE)
            drawn = []
            for _ in range(chance.randint(1, 8)):
                kind = chance.choice(kinds)
                content = chance.choice((*POINTS, *WORDS)) if kind == LINK else "x" * chance.choice((0, 1, 999))
                drawn.append((chance.choice(WORDS), content.encode("utf-8", "replace"), kind))
            return zipped(drawn, method=chance.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)))[: self.largest]
        return mutate(chance, corpus, self.words)[: self.largest]

    def check(self, data: bytes) -> str:
        made = self._room / "made"
        made.mkdir()
        try:
            unpack(io.BytesIO(data), made, LIMITS, "code.zip")
            self._sound(made)
            self._reads_the_same(data, made)
            return self._sent(made)
        except (BadRequest, PayloadTooLarge) as error:
            self._bounded(made)
            return refusal(error)
        finally:
            shutil.rmtree(made, ignore_errors=True)
            assert tree(self._room) == self._before, "something is left outside, or behind"

    def _bounded(self, made: Path) -> None:
        sizes = [path.lstat().st_size for path in made.rglob("*") if not path.is_symlink() and path.is_file()]
        assert len(sizes) <= LIMITS.entries, "more files than it may have"
        assert sum(sizes) <= LIMITS.unpacked_mb << 20, "more bytes than it may have"

    def _sound(self, made: Path) -> None:
        self._bounded(made)
        for path in made.rglob("*"):
            mode = path.lstat().st_mode
            assert stat.S_IFMT(mode) in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK), f"{path.name!r} is of another kind"
            assert path.resolve(strict=True).is_relative_to(made.resolve()), f"{path.name!r} leads out"

    def _reads_the_same(self, data: bytes, made: Path) -> None:
        """Python's own reader finds the same contents under the names that need no mending."""
        with zipfile.ZipFile(io.BytesIO(data)) as file:
            for entry in file.infolist():
                path = made / entry.filename
                is_plain = "\\" not in entry.filename and not entry.filename.startswith("/") and entry.flag_bits & 0x800
                if is_plain and path.is_file() and not path.is_symlink():
                    assert file.read(entry) == path.read_bytes(), f"{entry.filename!r} is read otherwise"

    def _sent(self, made: Path) -> str:
        """What goes to a server is files alone, and it takes them, unless copies of what is linked are too many."""
        taken = self._room / "taken"
        try:
            archive.unpack(pack(made), taken, LIMITS)
            sound(taken)
        finally:
            shutil.rmtree(taken, ignore_errors=True)
        return "taken"


def zipped(entries: list[tuple[str, bytes, int]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(buffer, "w", method) as file:  # of names given twice
        for name, content, mode in entries:
            info = zipfile.ZipInfo(name or "x")
            info.filename = name or "x"  # ZipInfo mends it
            info.create_system, info.external_attr = (3, mode << 16) if mode else (0, 0)
            file.writestr(info, content, method)
    return buffer.getvalue()
