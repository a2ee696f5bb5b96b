"""What `attacca top` shows where there are more sandboxes than anybody reads."""

from typing import Any

import pytest
from rich.console import Console

from attacca.cli.watch.top import ONE_BY_ONE, picture


def sandbox(number: int, busy: int = 0) -> dict[str, Any]:
    return {
        "id": f"s{number:05}", "revision": "ant@1", "phase": "busy" if busy else "idle", "memory_mb": 32, "busy": busy,
        "served": 1, "age_s": 9.0, "idle_s": 0.0 if busy else 5.0,
    }  # fmt: skip


def shown(sandboxes: list[dict[str, Any]], rows: int = 0) -> str:
    view = {
        "name": "worker-1", "used_mb": 1, "memory_mb": 2, "running": 1, "limit": 2, "queued": 0, "draining": False,
        "load": None, "devices": [], "functions": [], "sandboxes": sandboxes,
    }  # fmt: skip
    console = Console(width=120, color_system=None)
    with console.capture() as capture:
        console.print(picture([view], "http://127.0.0.1:1", rows))
    return capture.get()


@pytest.mark.long
def test_one_picture_has_the_busiest_of_thousands_of_sandboxes() -> None:
    text = shown([*(sandbox(number) for number in range(1000)), sandbox(1000, busy=1)])
    assert text.count("ant@1") == ONE_BY_ONE
    assert "s01000" in text
    assert "and 901 more" in text


def test_so_has_a_screen() -> None:
    text = shown([*(sandbox(number) for number in range(50)), sandbox(50, busy=1)], rows=30)
    assert "s00050" in text
    assert "more" in text
