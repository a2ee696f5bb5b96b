"""docs/workflows.md and docs/delegated.md do what they say: their files are written, their lines typed one by one.
And so do the examples that need servers of others."""

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiomqtt
import msgspec
import pytest
from redis import Redis

from attacca.workflow.config import WorkflowsConfig
from tests.live.brokers import Mosquitto
from tests.live.patience import PATIENCE_S
from tests.live.stores import StoreServer
from tests.live.stores import running as running_store
from tests.live.whole import Whole, running, until

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "delegated.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
SHELL = [text for kind, text in BLOCKS if kind == "sh"]
FIRST, ORCHESTRATOR, LEFT, _ = SHELL
SHOWN_URL = "http://127.0.0.1:8080"
WALK = (ROOT / "docs" / "workflows.md").read_text().split("## Step by step")[1].split("\n## ")[0]
BOX, CHAIN, MEASURED, MOVED = [text.splitlines() for text in re.findall(r"^```sh\n(.*?)^```$", WALK, re.M | re.S)]


class Reader:
    """`ports` stand in for those that the documents have."""

    def __init__(self, at: Path, ports: dict[str, str]) -> None:
        self.at, self.ports = at, ports
        self.env = {**os.environ, "PYTHONPATH": str(ROOT)}

    def words(self, line: str) -> list[str]:
        for shown, here in self.ports.items():
            line = line.replace(shown, here)
        words = shlex.split(line, comments=True)
        before = {"attacca": [sys.executable, "-m", "attacca.cli.app"], "python": [sys.executable]}
        return [*before.get(words[0], [words[0]]), *words[1:]]

    def type(self, line: str) -> str:
        shown = subprocess.run(
            self.words(line), env=self.env, cwd=self.at, capture_output=True, text=True, check=False, timeout=60
        )
        assert shown.returncode == 0, (line, shown)
        return shown.stdout + shown.stderr

    def until(self, line: str, is_so: Callable[[str], object]) -> str:
        """Typed again until what it says is so."""
        told: list[str] = []

        def tried() -> object:
            told.append(self.type(line))
            return is_so(told[-1])

        until(tried, line)
        return told[-1]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    with running_store("redis", tmp_path_factory.mktemp("redis"), "--appendonly", "no") as one:
        yield one


@pytest.fixture(scope="module")
def mqtt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    one = Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    try:
        one.start()
        yield one
    finally:
        one.stop()


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory, redis: StoreServer, mqtt: Mosquitto) -> Reader:
    """Whose directory has a copy of the examples, for other servers and less patience."""
    at = tmp_path_factory.mktemp("reader")
    shutil.copytree(ROOT / "examples" / "workflows", at / "examples" / "workflows")
    shutil.copytree(ROOT / "examples" / "orchestrator", at / "examples" / "orchestrator")
    for file in at.glob("examples/workflows/*/workflow.toml"):
        text = file.read_text().replace(":6379", f":{redis.port}").replace(":1883", f":{mqtt.port}")
        file.write_text(text.replace("period=1000", "period=50"))
    code, workflow, *_ = [text for kind, text in BLOCKS if kind in ("python", "toml")]
    (at / "worker.py").write_text(code)
    (at / "workflow.toml").write_text(workflow)
    return Reader(at, {":6379": f":{redis.port}", "redis-cli": f"redis-cli -p {redis.port}"})


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, reader: Reader) -> Iterator[Whole]:
    template, inabox = BOX
    reader.type(template)
    settings = reader.at / shlex.split(template)[4]
    for line in re.findall(r"`((?:url|hosts) = [^`]+)`", WALK):
        assert f"# {line}" in settings.read_text()
        shown = line.replace(":6379", reader.ports[":6379"])
        settings.write_text(settings.read_text().replace(f"# {line}", shown))
    with running(tmp_path_factory.mktemp("docs") / "state", verb=shlex.split(inabox)[1:], at=reader.at) as server:
        reader.ports[SHOWN_URL] = reader.env["ATTACCA_URL"] = f"http://127.0.0.1:{server.port}"
        yield server


def state(whole: Whole) -> Any:
    answer = whole.ask("GET", "/api/domain/state")
    if answer.status == 307:
        whole.port = int(whole.info["admin"].rpartition(":")[2])
    return whole.get("/api/domain/state")


def places(whole: Whole) -> dict[str, str]:
    return {one["component"]: one["instances"][0]["node"] for one in state(whole)["components"] if one["instances"]}


def numbers(lines: str) -> list[int]:
    return [int(found) for found in re.findall(r"\[#(\d+)\]: hello world$", lines, re.M)]


def test_the_step_by_step_example_is_measured(reader: Reader, whole: Whole) -> None:
    start, health, instances, performance = CHAIN
    assert "vector-mul" in reader.type(start)
    assert reader.until(health, lambda told: told.count(" -> memory free ") == 2)
    hosted = reader.type(instances)
    assert (hosted.count("[F] "), hosted.count("[R] ")) == (3, 1)
    reader.until(performance, lambda _: len(list(reader.at.glob("function_execution_time-*.dat"))) == 4)
    average, samples, keys = MEASURED
    assert float(reader.until(average, str.strip).strip('"\n')) > 0
    assert re.fullmatch(r"\d+,\d+\.\d+", reader.type(samples).splitlines()[0])
    assert "node:capabilities:" in reader.type(keys)
    reader.type("attacca workflow stop vector-mul")


def test_what_moves_goes_on_counting(reader: Reader, whole: Whole) -> None:
    start, tail, ids, functions, move, again, stop = MOVED
    reader.type(start)
    before = numbers(reader.until(tail, lambda told: len(numbers(told)) == 3))
    assert len(reader.type(ids).splitlines()) == 2
    assert len(reader.type(functions).splitlines()) == 1
    other = "worker-2" if places(whole)["generator"] == "worker-1" else "worker-1"
    reader.type(move.replace("worker-1", other))
    reader.until(again, lambda told: len(re.findall(f"@{other} ", told)) == 3)
    counted = numbers((reader.at / "my-local-file.log").read_text())
    assert counted == list(range(len(counted))), "no number is missing, none comes twice"
    assert len(counted) > before[-1]
    assert "Stopped" in reader.type(stop)


def test_the_words_of_a_book_are_counted_side_by_side(reader: Reader, whole: Whole) -> None:
    reader.type("attacca workflow start examples/workflows/mapreduce")
    book = (ROOT / "examples" / "compress" / "input" / "opticks.txt").read_bytes()
    whole.port = int(whole.info["url"].rpartition(":")[2])  # of the gateway
    assert whole.ask("POST", "/words", b"").status == 200, "which has heard of it when the start is answered"
    told = whole.ask("POST", "/words", book).value
    words = Counter(re.findall(r"[a-z]+", book.decode().lower()))
    assert (told["pieces"], told["words"]) == (13, words.total())
    assert sorted(told["most"].values(), reverse=True) == [count for _, count in words.most_common(10)]
    reader.type("attacca workflow stop mapreduce")


def test_a_sensor_is_watched_over_mqtt(reader: Reader, mqtt: Mosquitto, whole: Whole) -> None:
    reader.type("attacca workflow start examples/workflows/alarms")
    readings = (reader.at / "examples" / "workflows" / "alarms" / "readings.txt").read_text().splitlines()

    async def play() -> list[str]:
        async with asyncio.timeout(20), aiomqtt.Client("127.0.0.1", mqtt.port) as client:
            await client.subscribe("alarms")
            for reading in readings:
                await client.publish("sensors/co2", reading, qos=1)
            return [bytes((await anext(client.messages)).payload).decode() for _ in range(4)]

    assert asyncio.run(play()) == [
        f"{month} ppm" for month in ("1958-04: 317.45", "1958-05: 317.50", "1959-04: 317.72", "1959-05: 318.29")
    ]
    reader.type("attacca workflow stop alarms")


def test_a_log_is_watched_over_redis(reader: Reader, redis: StoreServer, whole: Whole) -> None:
    reader.type("attacca workflow start examples/workflows/logwatch")
    log = (reader.at / "examples" / "workflows" / "logwatch" / "access.log").read_text().splitlines()
    with Redis(port=redis.port, decode_responses=True) as db:
        for line in [*log, "no line of a log"]:
            db.publish("access-log", line)
        until(lambda: json.loads(str(db.get("access-summary") or "{}")).get("strange") == 1, "all has come")
        seen = json.loads(str(db.get("access-summary")))
    assert (seen["lines"], seen["statuses"]) == (15, {"200": 13, "304": 2})
    assert seen["bytes"]["unicomp6.unicomp.net"] == 3985 + 40310 + 786 + 1204
    reader.type("attacca workflow stop logwatch")


def test_the_first_one_goes_as_it_says(reader: Reader, whole: Whole) -> None:
    up, start, show, top, would, move, cordon, uncordon = FIRST.splitlines()
    assert up == "attacca edge inabox --nodes 2"
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
        reader.type(words)
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
    with subprocess.Popen(words, env=reader.env, cwd=reader.at, stdout=subprocess.PIPE, text=True) as running_it:
        assert running_it.stdout is not None
        line = running_it.stdout.readline()
        running_it.terminate()
    assert re.fullmatch(r"done: \S+\.(heavy|light) goes from worker-1 to worker-2\n", line)
    until(lambda: len(set(places(whole).values())) == 2, "they share", PATIENCE_S)
