"""What SQLite would pass over in its write-ahead journal without a word: commits behind damage.

It reads frames up to the first whose checksum is wrong and takes the last commit before that for the end. A commit
behind is of an interrupted write at best: of one, when it is the only one; several were on the disk before the damage.
The format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
"""

import struct

import msgspec

HEADER, FRAME = 32, 24  # bytes before the first frame, and before each frame's page
MAGIC = 0x377F0682  # its last bit says in which byte order checksums are worked out
MASK = 0xFFFFFFFF
USUAL_PAGE = 4096

Sums = tuple[int, int]


class Unread(msgspec.Struct, frozen=True):
    commits: int
    is_damage: bool  # and no write that was interrupted before it was acknowledged


def unread(journal: bytes) -> Unread | None:
    """None when every commit in it will be read."""
    if len(journal) < HEADER + FRAME:
        return None
    magic, _, page = struct.unpack_from(">3I", journal)
    order = ">" if magic & 1 else "<"
    sums = _sums(order, journal[:24], (0, 0))
    is_header_good = magic & ~1 == MAGIC and sums == struct.unpack_from(">2I", journal, 24)
    salts = journal[16:24] if is_header_good else journal[HEADER + 8 : HEADER + 16]
    step = FRAME + (page if is_header_good else USUAL_PAGE)
    end = _end(journal, order, sums, salts, step) if is_header_good else HEADER
    frames = range(end, len(journal) - step + 1, step)
    commits = sum(_is_commit(journal, at) and journal[at + 8 : at + 16] == salts for at in frames)
    return Unread(commits, not is_header_good or commits > 1) if commits else None


def _end(journal: bytes, order: str, sums: Sums, salts: bytes, step: int) -> int:
    """Behind the last commit that SQLite will read."""
    end = HEADER
    for at in range(HEADER, len(journal) - step + 1, step):
        sums = _sums(order, journal[at : at + 8] + journal[at + FRAME : at + step], sums)
        if journal[at + 8 : at + 16] != salts or sums != struct.unpack_from(">2I", journal, at + 16):
            break
        if _is_commit(journal, at):
            end = at + step
    return end


def _is_commit(journal: bytes, at: int) -> bool:
    return journal[at + 4 : at + 8] != bytes(4)  # the size of the database after it; other frames have none


def _sums(order: str, data: bytes, before: Sums) -> Sums:
    one, two = before
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for even, odd in zip(words[::2], words[1::2], strict=True):
        one = (one + even + two) & MASK
        two = (two + odd + one) & MASK
    return one, two
