"""A state directory that is damaged stops the start with the reason, and is left as it is found."""

import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.whole import command, running

DATABASE, JOURNAL = "state.db", "state.db-wal"
Damage = Callable[[Path], None]


def overwrite_the_middle(database: Path) -> None:
    content = bytearray(database.read_bytes())
    content[4096:8192] = os.urandom(4096)
    database.write_bytes(content)


def cut(database: Path) -> None:
    with database.open("r+b") as file:
        file.truncate(database.stat().st_size // 2)


def scribble(database: Path) -> None:
    database.write_bytes(os.urandom(20_000))


def damage_an_entry(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE entries SET value = substr(value, 1, 20) WHERE key LIKE 'functions/%'")
    connection.close()


def empty_an_entry(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE entries SET value = '{}' WHERE key = 'functions/here'")
    connection.close()


def spoil_the_epoch(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE entries SET value = 'x' WHERE key = 'epoch'")
    connection.close()


def empty(database: Path) -> None:
    database.write_bytes(b"")


def remove(database: Path) -> None:
    database.unlink()


def spoil_its_beginning(journal: Path) -> None:
    content = bytearray(journal.read_bytes())
    content[100] ^= 0xFF
    journal.write_bytes(content)


def leave(_: Path) -> None:
    """The database has a journal beside it, with its latest writes."""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a server that has ended well, with a function in it."""
    state = tmp_path_factory.mktemp("stopped") / "state"
    with running(state) as whole:
        whole.function("here", "def here():\n    return 1\n")
    return state


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of one that was killed: its latest writes are in a journal beside the database."""
    state = tmp_path_factory.mktemp("killed") / "state"
    with running(state) as whole:
        whole.function("here", "def here():\n    return 1\n")
        whole.kill()
    assert (state / JOURNAL).stat().st_size > 0
    return state


def contents(state: Path) -> tuple[bytes | None, bytes]:
    """Of the database, if there is one, and of its journal: having looked leaves an empty one."""
    database, journal = state / DATABASE, state / JOURNAL
    return database.read_bytes() if database.exists() else None, journal.read_bytes() if journal.exists() else b""


def refusal(state: Path) -> dict[str, str]:
    """What a start on it says; it must leave everything as it is."""
    before = contents(state)
    done = subprocess.run(command(state), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, ""), done
    assert contents(state) == before
    assert len(os.listdir(state / "code")) == 1, "the code is not taken for garbage"
    error: dict[str, str] = json.loads(done.stderr)["error"]
    return error


@pytest.mark.parametrize(
    "damage",
    [overwrite_the_middle, cut, scribble, damage_an_entry, empty_an_entry, spoil_the_epoch, empty, remove],
)
def test_damage_is_told_and_left_alone(stopped: Path, tmp_path: Path, damage: Damage) -> None:
    state = Path(shutil.copytree(stopped, tmp_path / "state"))
    damage(state / DATABASE)
    error = refusal(state)
    assert error["code"] == "state_corrupt"
    assert "backup" in error["try"]
    assert contents(stopped) != contents(state)


@pytest.mark.parametrize(
    ("first", "second"),
    [(scribble, scribble), (empty, scribble), (empty, leave), (remove, leave), (leave, spoil_its_beginning)],
)
def test_damage_to_what_a_kill_leaves_is_told_too(killed: Path, tmp_path: Path, first: Damage, second: Damage) -> None:
    state = Path(shutil.copytree(killed, tmp_path / "state"))
    first(state / DATABASE)
    second(state / JOURNAL)
    assert refusal(state)["code"] == "state_corrupt"


def test_a_last_change_that_cannot_be_read_is_told_of(killed: Path, tmp_path: Path) -> None:
    state = Path(shutil.copytree(killed, tmp_path / "state"))
    content = (state / JOURNAL).read_bytes()
    (state / JOURNAL).write_bytes(content[:-1] + bytes([content[-1] ^ 0xFF]))
    with running(state) as again:
        assert "its last change cannot be read" in again.said


def test_code_that_is_gone_is_told_of_and_a_deployment_brings_it_back(stopped: Path, tmp_path: Path) -> None:
    state = Path(shutil.copytree(stopped, tmp_path / "state"))
    (code,) = (state / "code").iterdir()
    shutil.rmtree(code)
    with running(state) as again:
        assert f"here@1 cannot start: {code} is gone" in again.said
        assert again.call("here").code == "start_failed"
        again.function("here", "def here():\n    return 1\n")
        assert again.call("here").value == 1


def test_a_backup_helps(stopped: Path, killed: Path, tmp_path: Path) -> None:
    for number, source in enumerate((stopped, killed)):
        with running(Path(shutil.copytree(source, tmp_path / str(number)))) as again:
            assert again.call("here").value == 1
