"""A layer of an image, on top of another: whatever is in it, it leads nowhere else, and is the same each time."""

import gzip
import os
import shutil
import stat
import tempfile
import zlib
from pathlib import Path
from random import Random

from attacca.errors import BadImage
from attacca.images.core.layers import Limits
from attacca.images.unpack import Tar, unpack
from tests.fuzz.door import Door, refusal
from tests.fuzz.doors.archives import NAMES, PAX, RAW, TAR, end, entry, pax, repaired, tree
from tests.fuzz.mutation import NUMBERS, mutate
from tests.images.stage import sha

LIMITS = Limits(unpacked_bytes=256 << 10, entries=60)
BELOW = b"".join((
    entry("etc/", kind=b"5", mode=0o755), entry("etc/a", b"1"), entry("etc/b", b"2"), entry("usr/lib/x", b"3"),
    entry("lib", kind=b"2", link="usr/lib"), entry("up", kind=b"2", link="../.."),
    entry("out", kind=b"2", link="/../outside"), entry("loop", kind=b"2", link="loop"),
    entry("again", kind=b"1", link="etc/a"), end(),
))  # fmt: skip
WORDS = (
    *(".wh.", ".wh..wh..opq", "etc/.wh.a", "etc/.wh..wh..opq", "lib/.wh.x", "up/outside/canary", "out/canary", "lib/y"),
    *(
        "out",
        "up",
        "loop/a",
        "etc",
        "etc/a",
        "lib",
        "../outside/canary",
        "/../../outside",
        ".wh.etc",
        ".wh...",
        "up/up",
    ),
)
KINDS = b"0123456\x0071gxLKS"


class Layers(Door):
    name = "layers"
    largest = 48 * 1024
    words = tuple(word.encode() for word in WORDS)

    def open(self) -> None:
        self._room = Path(tempfile.mkdtemp(prefix="attacca-fuzz-"))
        canary = self._room / "outside" / "canary"
        canary.parent.mkdir()
        canary.write_text("sings")
        (self._room / "below").write_bytes(BELOW)
        self._before = tree(self._room)

    def close(self) -> None:
        shutil.rmtree(self._room)

    def seeds(self) -> list[bytes]:
        plain = entry("etc/.wh.a") + entry("lib/y", b"1", mode=0o4755) + entry("new/b", b"2") + end()
        return [
            RAW + gzip.compress(plain, mtime=0),
            TAR + plain,
            TAR + entry("etc/.wh..wh..opq") + entry("etc/c", b"1") + entry("d", kind=b"1", link="etc/c") + end(),
            TAR + entry("a", kind=b"2", link="/etc") + entry("a/b", b"1") + end(),
            TAR + pax({"path": "p/é.py", "mtime": "1.5"}) + entry("x", b"1") + end(),
            TAR + b"".join(entry(f"f{number}", b"x" * 700) for number in range(25)) + end(),
        ]

    def traps(self) -> list[bytes]:
        return [
            *(TAR + entry(f"{door}/canary", b"x") + end() for door in ("out", "up/outside", "up", "lib/../out")),
            *(
                TAR + entry(f"{door}/.wh.canary") + entry(f"{door}/.wh..wh..opq") + end()
                for door in ("out", "up/outside")
            ),
            *(
                TAR + entry("t", kind=b"1", link=link) + entry("t", b"x") + end()
                for link in ("out/canary", "up", "again")
            ),
            TAR + entry("etc", kind=b"2", link="../outside") + entry("etc/canary", b"x") + end(),
            TAR + entry("again", b"other") + end(),
            RAW + gzip.compress(bytes(4 << 20)),
            TAR + b"".join(entry(str(number)) for number in range(70)) + end(),
        ]

    def make(self, chance: Random, corpus: list[bytes]) -> bytes:
        if chance.random() < 0.5:
            return repaired(TAR + drawn(chance))[: self.largest]
        data = mutate(chance, corpus, self.words)[: self.largest]
        return repaired(data) if data[:1] == TAR and chance.random() < 0.8 else data

    def check(self, data: bytes) -> str:
        plain, compression = (data[1:], "") if data[:1] == TAR else (data[1:], "gzip")
        layer = self._room / "layer"
        layer.write_bytes(plain)
        try:
            diff_id = sha(plain if not compression else inflated(plain))
            first = self._unpacked(Tar(layer, compression, diff_id))
            assert self._unpacked(Tar(layer, compression, diff_id)) == first, "the same layer comes out otherwise"
        except BadImage as error:
            return refusal(error)
        else:
            return "taken"
        finally:
            layer.unlink()
            assert tree(self._room) == self._before, "something is left outside, or behind"

    def _unpacked(self, layer: Tar) -> dict[str, tuple[int, bytes]]:
        made = self._room / "made"
        made.mkdir()
        try:
            told = unpack([Tar(self._room / "below", "", sha(BELOW)), layer], made, LIMITS)
            found = tree(made)
            sound(found)
            assert told.bytes <= LIMITS.unpacked_bytes, "more bytes than it may have"
            assert told.entries <= LIMITS.entries, "more entries than it may have"
            return found
        finally:
            shutil.rmtree(made)


def inflated(data: bytes) -> bytes:
    """As far as it goes: what is wrong is told by who unpacks it."""
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, ValueError, zlib.error):
        return b""


def sound(found: dict[str, tuple[int, bytes]]) -> None:
    for path, (mode, content) in found.items():
        assert stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode), f"{path!r} is of the kind {mode:o}"
        assert not mode & (stat.S_ISUID | stat.S_ISGID), f"{path!r} gives rights: {mode:o}"
        assert not os.path.basename(path).startswith(".wh."), f"{path!r} is a word, and no file"
        assert content != b"sings", f"{path!r} is another name of what lies outside"


def drawn(chance: Random) -> bytes:
    whole = b""
    for _ in range(chance.randint(1, 8)):
        if chance.random() < 0.15:
            whole += pax({chance.choice(PAX): chance.choice((*NUMBERS, *WORDS))}, chance.choice((b"x", b"g")))
        kind = bytes((chance.choice(KINDS),)) if chance.random() < 0.6 else b"0"
        content = b"x" * chance.choice((0, 1, 512, 600)) if kind == b"0" else b""
        name, link = (chance.choice(WORDS if chance.random() < 0.8 else NAMES) for _ in range(2))
        whole += entry(name, content, kind=kind, mode=chance.choice((0, 0o644, 0o7777)), link=link)
    return whole + (end() if chance.random() < 0.9 else b"")
