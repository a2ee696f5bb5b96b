"""InfluxDB as Debian has it, held to the suite of the twin; and what a server tells it."""

import contextlib
import http.client
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from attacca.io.posting import Silent
from attacca.io.timeseries.conformance import CHECKS, check_timeseries
from attacca.io.timeseries.influx import Influx1
from attacca.io.timeseries.opening import SeriesConfig, open_series
from tests.live.collector import Taker
from tests.live.stores import free_port
from tests.live.whole import Whole, naps, until

CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{at}/meta"
[data]
  dir = "{at}/data"
  wal-dir = "{at}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
[ifql]
  enabled = false
"""


class Database:
    def __init__(self, directory: Path) -> None:
        found = shutil.which("influxd")
        if found is None:
            pytest.fail("influxd is not here: scripts/debian.sh influxdb")
        self.port = free_port()
        config = directory / "influxdb.conf"
        config.write_text(CONFIG.format(at=directory, port=self.port, rpc=free_port()))
        with (directory / "log").open("wb") as log:
            self.process = subprocess.Popen([found, "-config", str(config)], stdout=log, stderr=log, cwd=directory)
        for _ in naps():
            if self._answers():
                return
            if self.process.poll() is not None:
                break
        self.stop()
        pytest.fail((directory / "log").read_text()[-2000:])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _answers(self) -> bool:
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=1)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(link):
            link.request("GET", "/ping")
            return link.getresponse().status == 204
        return False

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(10)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    one = Database(tmp_path_factory.mktemp("influx"))
    yield one
    one.stop()


def test_version_1_is_held_to_the_suite(database: Database) -> None:
    series = Influx1(database.url, 'odd "name"')
    series.prepare()
    assert len(check_timeseries(series)) == len(CHECKS)


LIES = (
    b"",
    b"HTTP/1.1 200 OK\r\n\r\n" + b" " * 200_000,
    b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>log in first</html>",
    b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000,
    b'HTTP/1.1 200 OK\r\n\r\n{"results":[{"series":[{"name":"x","tags":{"name":5},"columns":["x"],"values":[[1]]}]}]}',
    b"HTTP/1.1 200 OK\r\n\r\n,result,_value,_field,name\r\n,,inf,cpu_loadavg,w1\r\n,,1\r\n",
    b"HTTP/1.1 307 Temporary\r\nlocation: /\r\ncontent-length: 0\r\n\r\n",
)


@pytest.mark.parametrize("kind", ["influx1", "influx2"])
def test_what_lies_says_nothing_about_workers(kind: Literal["influx1", "influx2"]) -> None:
    taker = Taker()
    series = open_series(SeriesConfig(url=taker.url, kind=kind, timeout_s=5.0))
    try:
        for taker.lies in LIES:
            with contextlib.suppress(Silent):
                assert series.last("worker_load", "name", 60.0, 1e9) == {}
    finally:
        taker.stop()


def test_a_server_tells_how_busy_it_is_and_goes_on_without_a_database(database: Database, tmp_path: Path) -> None:
    options = {"url": database.url, "database": "attacca", "every_s": "0.1"}
    server = Whole(
        tmp_path / "state", *[word for one in options.items() for word in ("--set", "series." + "=".join(one))]
    )
    try:
        series = Influx1(database.url, "attacca")
        until(lambda: bool(series.last("worker_load", "name", 4e9, 4e9)), "what it tells is there")
        (fields,) = series.last("worker_load", "name", 4e9, 4e9).values()
        assert set(fields) == {
            "cpu_loadavg", "gpu_loadavg", "cpu_util", "cpu_queue_len", "gpu_queue_len", "host_mem_pct",
            "num_running_funcs",
        }  # fmt: skip
        assert 0 < fields["host_mem_pct"] <= 100
        assert series.last("machine", "name", 4e9, 4e9)
        database.stop()
        server.deploy("echo", "def echo(event):\n    return event\n")
        assert server.call("echo", 5).value == 5
    finally:
        server.stop()
