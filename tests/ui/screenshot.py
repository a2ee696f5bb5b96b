"""Takes the README's picture of the dashboard: a server, functions that are called for some minutes, and Chromium.

python -m tests.ui.screenshot [--minutes N]
"""

import argparse
import http.client
import random
import tempfile
import threading
import time
from pathlib import Path

from tests.live.whole import Whole, running
from tests.ui.browser import browser, opened

PICTURE = Path(__file__).parents[2] / "docs" / "figures" / "dashboard.png"
SOURCE = """
import random, time

def {name}(event=None):
    time.sleep(random.gammavariate(2, {ms} / 2000))
    if random.random() < {fails}:
        raise ValueError("out of stock")
    return "done"
"""
SHOP = {  # by name: milliseconds, the share that fails, and how often a second
    "checkout": (40, 0.02, 3.0), "search": (12, 0.0, 9.0), "thumbnail": (90, 0.0, 1.5), "invoice": (150, 0.0, 0.4),
    "recommend": (60, 0.0, 2.0), "mailer": (25, 0.01, 0.7),
}  # fmt: skip


def main(minutes: float) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="attacca-picture-") as directory,
        running(Path(directory) / "state") as whole,
    ):
        for name, (ms, fails, _) in SHOP.items():
            whole.function(name, SOURCE.format(name=name, ms=ms, fails=fails))
        over = threading.Event()
        callers = [threading.Thread(target=call, args=(whole, name, over)) for name in SHOP]
        for caller in callers:
            caller.start()
        try:
            time.sleep(minutes * 60)
            with browser() as chromium:
                size = {"width": 1280, "height": 860}
                with opened(chromium, f"http://127.0.0.1:{whole.port}/ui", viewport=size) as page:
                    page.locator(".chart rect").first.wait_for()
                    page.wait_for_timeout(3000)
                    page.screenshot(path=PICTURE)
        finally:
            over.set()
            for caller in callers:
                caller.join()
    print(f"{PICTURE}: {PICTURE.stat().st_size >> 10} KB")


def call(whole: Whole, name: str, over: threading.Event) -> None:
    chance, rate = random.Random(name), SHOP[name][2]
    connection = http.client.HTTPConnection("127.0.0.1", whole.port, timeout=30)
    while not over.wait(chance.expovariate(rate * (0.6 + 0.4 * chance.random()))):
        connection.request("GET", f"/function/{name}")
        connection.getresponse().read()
    connection.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="a picture of the dashboard")
    parser.add_argument("--minutes", type=float, default=5.0)
    main(parser.parse_args().minutes)
