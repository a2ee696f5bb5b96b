"""InfluxDB 2 as its makers have it, held to the suite of the twin; and what a server tells it. `make series` has it."""

import http.client
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from attacca.io.posting import Silent
from attacca.io.timeseries.conformance import CHECKS, check_timeseries
from attacca.io.timeseries.influx import Influx2
from tests.live.stores import free_port
from tests.live.whole import Whole, naps, until

ORG, TOKEN = "attacca", "sesame-sesame"
PROGRAM = "influxd2"


class Database2:
    """With one bucket, of the organisation's name."""

    def __init__(self, directory: Path) -> None:
        found = shutil.which(PROGRAM)
        if found is None:
            pytest.fail(f"{PROGRAM} is not here: make series")
        self.port = free_port()
        command = [
            found, "--bolt-path", str(directory / "bolt"), "--engine-path", str(directory / "engine"),
            "--sqlite-path", ":memory:", "--http-bind-address", f"127.0.0.1:{self.port}", "--reporting-disabled",
            "--log-level", "error",
        ]  # fmt: skip
        with (directory / "log").open("wb") as log:
            home = {"HOME": str(directory)}
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=directory, env=home)
        for _ in naps():
            if self._is_set_up():
                return
            if self.process.poll() is not None:
                break
        self.stop()
        pytest.fail((directory / "log").read_text()[-2000:])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def door(self, bucket: str = ORG, token: str = TOKEN) -> Influx2:
        return Influx2(self.url, ORG, bucket, token, timeout_s=60)

    def _is_set_up(self) -> bool:
        told = {"username": "attacca", "password": "attacca-attacca", "org": ORG, "bucket": ORG, "token": TOKEN}
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            link.request("POST", "/api/v2/setup", json.dumps(told), {"content-type": "application/json"})
            return link.getresponse().status == 201
        except (OSError, http.client.HTTPException):
            return False
        finally:
            link.close()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(10)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database2]:
    one = Database2(tmp_path_factory.mktemp("influx2"))
    yield one
    one.stop()


def test_it_is_held_to_the_suite(database: Database2) -> None:
    assert len(check_timeseries(database.door())) == len(CHECKS)


def test_a_wrong_token_and_a_bucket_that_is_not_there_are_said(database: Database2) -> None:
    assert database.door(token="wrong").write([]).status == 401
    with pytest.raises(Silent, match="status 401"):
        database.door(token="wrong").last("worker_load", "name", 60, 1e9)
    with pytest.raises(Silent, match="status 404"):
        database.door(bucket="none").last("worker_load", "name", 60, 1e9)


def test_a_server_tells_how_busy_it_is_and_goes_on_without_a_database(database: Database2, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text(TOKEN)
    options = {
        "url": database.url, "kind": "influx2", "org": ORG, "database": ORG, "secret_file": str(secret),
        "every_s": "0.1",
    }  # fmt: skip
    words = [word for one in options.items() for word in ("--set", "series." + "=".join(one))]
    server = Whole(tmp_path / "state", *words)
    try:
        until(lambda: bool(database.door().last("machine", "name", 4e9, 4e9)), "what it tells is there")
        (fields,) = [
            told for name, told in database.door().last("worker_load", "name", 4e9, 4e9).items() if name == "worker"
        ]
        assert 0 < fields["host_mem_pct"] <= 100
        database.stop()
        server.deploy("echo", "def echo(event):\n    return event\n")
        assert server.call("echo", 5).value == 5
    finally:
        server.stop()
