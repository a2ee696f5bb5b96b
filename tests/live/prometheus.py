"""Debian's Prometheus takes what attacca has for it: pages, exemplars and remote write. `make alerts` runs it."""

import contextlib
import http.client
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from attacca.io.exposition import Form
from attacca.io.timeseries.remote_write import RemoteWrite
from attacca.io.timeseries.types import Point
from attacca.model.trace import trace_of
from tests.live.collector import Taker
from tests.live.stand_ins import counter
from tests.live.stores import free_port
from tests.live.whole import Whole, naps, until
from tests.trees import ROOT

CONFIG = """
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: attacca
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class Prometheus:
    def __init__(self, directory: Path, scraped: int) -> None:
        found = shutil.which("prometheus")
        if found is None:
            pytest.fail("prometheus is not here: scripts/debian.sh prometheus")
        self.port = free_port()
        config = directory / "prometheus.yml"
        config.write_text(CONFIG.format(port=scraped))
        command = [found, f"--config.file={config}", f"--storage.tsdb.path={directory}/data"]
        command += [f"--web.listen-address=127.0.0.1:{self.port}", "--web.enable-remote-write-receiver"]
        with (directory / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [*command, "--enable-feature=exemplar-storage"], stdout=log, stderr=log, cwd=directory
            )
        for _ in naps():
            with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
                if self.ask("query", query="1"):
                    return
            if self.process.poll() is not None:
                break
        self.stop()
        pytest.fail((directory / "log").read_text()[-2000:])

    def ask(self, what: str, **query: str) -> Any:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)) as link:
            link.request("GET", f"/api/v1/{what}?{urlencode(query)}")
            return json.loads(link.getresponse().read())["data"]

    def values(self, query: str) -> dict[str, float]:
        """By their label `name`."""
        found = self.ask("query", query=query)["result"]
        return {one["metric"].get("name", ""): float(one["value"][1]) for one in found}

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(10)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    taker = Taker()
    place = tmp_path_factory.mktemp("at")
    with counter(place / "powercap") as root:
        settings = [f"otlp.url={taker.url}", "otlp.rate=1", "energy.source=powercap", f"energy.powercap={root}"]
        settings.append('worker.accelerators.devices=[{name="0",memory_mb=1024}]')
        whole = Whole(place / "state", *(word for one in settings for word in ("--set", one)))
        whole.deploy("echo", "def echo(event):\n    return event\n")
        yield whole
        whole.stop()
    taker.stop()


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory, server: Whole) -> Iterator[Prometheus]:
    one = Prometheus(tmp_path_factory.mktemp("prometheus"), server.port)
    yield one
    one.stop()


def test_promtool_can_read_the_page(server: Whole) -> None:
    server.call("echo", 1)
    page = server.ask("GET", "/metrics").body
    ran = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, check=False)
    assert ran.returncode in (0, 3), ran.stderr.decode()  # 3: it would call something otherwise
    assert b"faas_" not in ran.stdout + ran.stderr


def test_it_takes_openmetrics_and_has_the_trace_of_an_invocation(server: Whole, prometheus: Prometheus) -> None:
    answer = server.call("echo", 2)
    ours = trace_of(answer.headers["x-attacca-invocation-id"])
    assert (
        server.ask("GET", "/metrics", b"", {"accept": "application/openmetrics-text"}).headers["content-type"]
        == Form.OPEN.value.decode()
    )

    def exemplars() -> set[str]:
        now = time.time()
        found = prometheus.ask(
            "query_exemplars", query="faas_invoke_duration_seconds_bucket", start=str(now - 600), end=str(now + 60)
        )
        return {one["labels"]["trace_id"] for series in found for one in series["exemplars"]}

    until(lambda: ours in exemplars(), "it has the trace")
    health = prometheus.ask("targets")["activeTargets"][0]
    assert (health["health"], health["lastError"]) == ("up", "")


def test_each_panel_of_the_dashboard_shows_something(server: Whole, prometheus: Prometheus) -> None:
    panels = json.loads((ROOT / "deploy" / "grafana" / "attacca.json").read_text())["panels"]
    asked = {target["expr"]: panel["title"] for panel in panels for target in panel["targets"]}

    def empty() -> set[str]:
        server.call("echo", 1)
        return {
            title
            for expression, title in asked.items()
            if not prometheus.ask(
                "query", query=expression.replace("$__rate_interval", "10s").replace("$function", ".*")
            )["result"]
        }

    until(lambda: empty() <= {"Errors per second, by code"}, "each has something")


def test_it_takes_what_is_written_to_it(prometheus: Prometheus) -> None:
    series = RemoteWrite(f"http://127.0.0.1:{prometheus.port}/api/v1/write")
    now = time.time()
    points = [
        Point(
            measurement="worker_load", tags=(("name", f"w{number % 3}"), ("node_type", "wörker")),
            fields=(("cpu_loadavg", number / 4),), at=now - 30 + number,
        )
        for number in range(9)
    ]  # fmt: skip
    assert series.write(points).status == 204
    assert prometheus.values("worker_load_cpu_loadavg") == {"w0": 1.5, "w1": 1.75, "w2": 2.0}
    large = [
        Point(measurement="many", tags=(("name", f"w{number}" + "x" * 90),), fields=(("f", number),), at=now)
        for number in range(2000)
    ]
    assert series.write(large).status == 204  # of several pieces of snappy
    assert prometheus.ask("query", query="count(many_f)")["result"][0]["value"][1] == "2000"
    assert series.write(points).status in (204, 400)  # the same again
    assert series.write([]).status == 204
