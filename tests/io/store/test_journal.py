"""Against journals that SQLite itself has written."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from attacca.io.store.journal import FRAME, HEADER, Unread, unread

STEP = FRAME + 4096


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Of four commits: two make the table, and one each fills it; the last row needs two pages."""
    path = tmp_path_factory.mktemp("journal") / "state.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA synchronous = OFF")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE one (x BLOB)")
        for size in (10, 5000):
            database.execute("INSERT INTO one VALUES (?)", (os.urandom(size),))
        written = Path(f"{path}-wal").read_bytes()
    assert len(commits(written)) == 3
    return written


def commits(journal: bytes) -> list[int]:
    frames = range(HEADER, len(journal), STEP)
    return [at for at in frames if journal[at + 4 : at + 8] != bytes(4)]


def spoiled(journal: bytes, at: int) -> bytes:
    return journal[:at] + bytes([journal[at] ^ 0xFF]) + journal[at + 1 :]


def test_a_whole_journal_is_read_whole(journal: bytes) -> None:
    assert unread(journal) is None
    assert unread(b"") is None


def test_what_a_crash_leaves_behind_the_last_commit_is_nothing_lost(journal: bytes) -> None:
    last = commits(journal)[-1]
    assert unread(journal[:last]) is None, "the pages of a commit that never came"
    assert unread(journal[: last + 100]) is None, "half of it"


def test_a_spoiled_last_commit_may_have_been_interrupted(journal: bytes) -> None:
    assert unread(spoiled(journal, len(journal) - 1)) == Unread(1, is_damage=False)


def test_damage_before_other_commits_is_damage(journal: bytes) -> None:
    first, second, _ = commits(journal)
    assert unread(spoiled(journal, second + 2000)) == Unread(2, is_damage=True)
    assert unread(spoiled(journal, first + 9)) == Unread(2, is_damage=True), "it does not look like a commit any more"
    assert unread(spoiled(journal, 5)) == Unread(3, is_damage=True), "the head of all"
    assert unread(spoiled(journal, 30)) == Unread(3, is_damage=True)


def test_frames_of_a_former_round_are_nothing_lost(journal: bytes) -> None:
    first = commits(journal)[0] + STEP
    stale = b"".join(
        journal[at : at + 8] + b"stale...." + journal[at + 17 : at + STEP] for at in range(first, len(journal), STEP)
    )
    assert unread(journal[:first] + stale) is None
