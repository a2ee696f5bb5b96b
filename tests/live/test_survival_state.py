"""A state directory that is damaged stops the start with the reason, and is left as it is found."""

import json
import os
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.live.whole import command, running


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


def leave(_: Path) -> None:
    """The database has a journal beside it, with its latest writes."""


DAMAGES = [overwrite_the_middle, cut, scribble, damage_an_entry, empty_an_entry, spoil_the_epoch]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a function in it."""
    state = tmp_path_factory.mktemp("damaged") / "state"
    with running(state) as whole:
        whole.function("here", "def here():\n    return 1\n")
    return state


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_told_and_left_alone(state: Path, damage: Callable[[Path], None]) -> None:
    database = state / "state.db"
    whole = database.read_bytes()
    try:
        damage(database)
        damaged = database.read_bytes()
        assert damaged != whole
        done = subprocess.run(command(state), capture_output=True, text=True, timeout=5, check=False)
        assert done.returncode == 1, done
        assert done.stdout == ""
        error = json.loads(done.stderr)["error"]
        assert error["code"] == "state_corrupt"
        assert error["message"]
        assert "backup" in error["try"]
        assert database.read_bytes() == damaged
        assert len(os.listdir(state / "code")) == 1, "the code is not taken for garbage"
    finally:
        database.write_bytes(whole)
    with running(state) as again:
        assert again.call("here").value == 1


@pytest.mark.parametrize(
    ("first", "second"), [(scribble, scribble), (empty, scribble), (empty, leave), (remove, leave)]
)
def test_damage_to_what_a_kill_leaves_is_told_too(
    tmp_path: Path, first: Callable[[Path], None], second: Callable[[Path], None]
) -> None:
    state = tmp_path / "state"
    with running(state) as whole:
        whole.function("here", "def here():\n    return 1\n")
        whole.kill()
    files = [state / "state.db", state / "state.db-wal"]
    kept = [file.read_bytes() for file in files]
    first(files[0])
    second(files[1])
    damaged = [file.exists() and file.read_bytes() for file in files]
    done = subprocess.run(command(state), capture_output=True, text=True, timeout=5, check=False)
    assert json.loads(done.stderr)["error"]["code"] == "state_corrupt"
    assert [file.exists() and file.read_bytes() for file in files] == damaged
    for file, content in zip(files, kept, strict=True):
        file.write_bytes(content)
    with running(state) as again:
        assert again.call("here").value == 1
