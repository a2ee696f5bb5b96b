"""Of a cluster with two workers: a component is moved by a pointer that drags it, and by a choice; a worker that dies
is told of, and phones show in their row which page is open."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.live.apart import Cluster, cluster
from tests.live.whole import ENVIRON, until
from tests.ui.browser import go, opened, said
from tests.ui.pages import PHONE
from tests.ui.world import COUNTER, TICKER, WORKFLOW


def move(chromium: Any, place: Path) -> Iterator[str]:
    with cluster(place, workers=2) as planes:
        workflow = start(planes, place)
        url = f"http://127.0.0.1:{planes.control.port}/ui"
        with opened(chromium, url) as page:
            go(page, f"#/workflows/{workflow}", "counting")
            here = at(planes, "counter")
            there = ({"w1", "w2"} - {here}).pop()
            chip = lane(page, here).locator(".chip", has_text="counter")
            chip.drag_to(lane(page, there))
            said(page, f"counter is up on {there}.")
            assert at(planes, "counter") == there
            lane(page, there).locator(".chip", has_text="counter").wait_for()
            yield "a component is dragged to another node"
            ticking = at(planes, "ticker")
            other = ({"w1", "w2"} - {ticking}).pop()
            page.get_by_label("Move ticker to").select_option(other)
            said(page, f"ticker is up on {other}.")
            assert at(planes, "ticker") == other
            yield "and another by keyboard"
            go(page, "#/cluster", "Cluster")
            planes.workers["w2"].signal(signal.SIGSTOP)
            page.get_by_text("silent", exact=True).wait_for()
            planes.workers["w2"].signal(signal.SIGCONT)
            page.get_by_text("2 workers, ready").wait_for()
            planes.workers.pop("w2").kill()
            page.get_by_text("1 worker, ready").wait_for()
            yield "a worker that hangs is said to be silent, and one that is gone is not shown"
        with opened(chromium, url, **PHONE) as page:
            go(page, "#/tokens", "Tokens")
            box = page.locator(".side nav a[aria-current]").bounding_box()
            assert box is not None
            assert 0 <= box["x"] <= PHONE["viewport"]["width"] - box["width"]
            yield "a phone shows which page is open"


def start(planes: Cluster, place: Path) -> str:
    for name, text in (("ticker.py", TICKER), ("counter.py", COUNTER), ("workflow.toml", WORKFLOW)):
        (place / name).write_text(text)
    words = [sys.executable, "-m", "attacca.cli.app", "workflow", "start", str(place / "workflow.toml"), "--json"]
    environ = {**ENVIRON, "ATTACCA_URL": f"http://127.0.0.1:{planes.control.port}"}
    ran = subprocess.run(words, env=environ, check=True, capture_output=True, timeout=60)
    until(lambda: planes.control.get("/api/workflows"), "it runs")
    return str(json.loads(ran.stdout)["id"])


def at(planes: Cluster, component: str) -> str:
    rows = planes.control.get("/api/workflows/counting")["instances"]
    return next(str(row["worker"]) for row in rows if row["component"] == component)


def lane(page: Any, node: str) -> Any:
    return page.get_by_role("region", name=f"Node {node}", exact=True)
