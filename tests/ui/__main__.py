"""Looks at the dashboard in a real browser: pages, forms, by keyboard, as its enemies would, and how quick it is.

python -m tests.ui [PART ...]
"""

import sys
import tempfile
import time
from pathlib import Path

from tests.ui import enemies, forms, login, moves, pages, quick
from tests.ui.browser import browser

PARTS = {
    "pages": pages.look,
    "forms": forms.fill,
    "moves": moves.move,
    "enemies": enemies.try_all,
    "login": login.come_in,
    "quick": quick.measure,
}


def main(wanted: list[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="attacca-ui-") as directory, browser() as chromium:
        for name in wanted or list(PARTS):
            place = Path(directory) / name
            place.mkdir()
            began = time.monotonic()
            for line in PARTS[name](chromium, place):
                print(f"{name:<8} {line}", flush=True)
            print(f"{name:<8} took {time.monotonic() - began:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
