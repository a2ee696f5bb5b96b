"""docs/delegated.md does what it says: its files are written, its lines typed one after the other."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from redis import Redis

from attacca.workflow.config import WorkflowsConfig
from tests.live.stores import StoreServer
from tests.live.stores import running as running_store
from tests.live.whole import PATIENCE_S, Whole, running, until

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "delegated.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
SHELL = [text for kind, text in BLOCKS if kind == "sh"]
FIRST, ORCHESTRATOR, LEFT, _ = SHELL
SHOWN_URL = "http://127.0.0.1:8080"


class Reader:
    def __init__(self, whole: Whole, at: Path) -> None:
        self.url, self._at = f"http://127.0.0.1:{whole.port}", at
        self.env = {**os.environ, "ATTACCA_URL": self.url, "PYTHONPATH": str(ROOT)}

    def words(self, line: str) -> list[str]:
        words = shlex.split(line.replace(SHOWN_URL, self.url), comments=True)
        before = {"attacca": [sys.executable, "-m", "attacca.cli.app"], "python": [sys.executable]}
        return [
            *before.get(words[0], [words[0]]),
            *(word.replace("examples/", f"{ROOT}/examples/") for word in words[1:]),
        ]

    def type(self, line: str) -> str:
        shown = subprocess.run(
            self.words(line), env=self.env, cwd=self._at, capture_output=True, text=True, check=False, timeout=60
        )
        assert shown.returncode == 0, (line, shown)
        return shown.stdout + shown.stderr


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    with running_store("redis", tmp_path_factory.mktemp("redis"), "--appendonly", "no") as one:
        yield one


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, redis: StoreServer) -> Iterator[Whole]:
    at = tmp_path_factory.mktemp("docs")
    with running(at / "state", "--workers", "2", "--set", f"workflows.mirror.url={redis.url()}") as server:
        yield server


@pytest.fixture(scope="module")
def reader(whole: Whole, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    at = tmp_path_factory.mktemp("reader")
    code, workflow, *_ = [text for kind, text in BLOCKS if kind in ("python", "toml")]
    (at / "worker.py").write_text(code)
    (at / "workflow.toml").write_text(workflow)
    return Reader(whole, at)


def state(whole: Whole) -> Any:
    answer = whole.ask("GET", "/api/domain/state")
    if answer.status == 307:
        whole.port = int(whole.info["admin"].rpartition(":")[2])
    return whole.get("/api/domain/state")


def places(whole: Whole) -> dict[str, str]:
    return {one["component"]: one["instances"][0]["node"] for one in state(whole)["components"] if one["instances"]}


def test_the_first_one_goes_as_it_says(reader: Reader, whole: Whole) -> None:
    up, start, show, top, would, move, cordon, uncordon = FIRST.splitlines()
    assert up == "attacca up --workers 2"
    assert "uneven" in reader.type(start)
    assert len(reader.type(show).splitlines()) == 3
    assert "worker-2" in reader.type(top)
    assert "worker-1" in reader.type(would)
    assert "worker-1" in reader.type(move)
    assert places(whole)["heavy"] == "worker-1"
    assert "given nothing new" in reader.type(cordon)
    assert [node["is_cordoned"] for node in state(whole)["nodes"]] == [False, True]
    assert "again" in reader.type(uncordon)
    for line in re.findall(r"`(attacca proxy (?:show|top) [^`]+)`", TEXT.split("## Tools of EDGELESS")[1]):
        assert reader.type(line).strip(), line


def test_what_is_left_in_redis_is_done(reader: Reader, whole: Whole, redis: StoreServer) -> None:
    settings = tomllib.loads(next(text for kind, text in BLOCKS if kind == "toml" and "mirror" in text))
    assert msgspec.convert(settings["workflows"], WorkflowsConfig).mirror.url
    found = next(one for one in state(whole)["components"] if one["component"] == "idle")
    other = "worker-2" if places(whole)["idle"] == "worker-1" else "worker-1"
    for line in LEFT.splitlines():
        words = line.replace("LID", found["id"]).replace("NODE", other)
        reader.type(words.replace("redis-cli", f"redis-cli -p {redis.port}"))
    until(lambda: places(whole).get("idle") == other, "it is moved")
    with Redis(port=redis.port, decode_responses=True) as db:
        until(lambda: other_id(whole, other) in str(db.get(f"instance:{found['id']}")), "and the mirror has it")


def other_id(whole: Whole, name: str) -> str:
    return str(next(node["id"] for node in state(whole)["nodes"] if node["name"] == name))


def test_the_orchestrator_evens_them_out(reader: Reader, whole: Whole) -> None:
    for name in ("light", "idle", "heavy"):
        if places(whole)[name] != "worker-1":
            reader.type(f"attacca proxy intent migrate uneven.{name} worker-1")
    words = reader.words(ORCHESTRATOR)
    with subprocess.Popen(words, env=reader.env, stdout=subprocess.PIPE, text=True) as running_it:
        assert running_it.stdout is not None
        line = running_it.stdout.readline()
        running_it.terminate()
    assert re.fullmatch(r"done: \S+\.(heavy|light) goes from worker-1 to worker-2\n", line)
    until(lambda: len(set(places(whole).values())) == 2, "they share", PATIENCE_S)
