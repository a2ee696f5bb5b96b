"""Screens as text. `REWRITE=1 pytest` records anew; commit a changed one only if you can say why."""

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "golden"


def same(name: str, screen: str) -> None:
    path = FOLDER / f"{name}.txt"
    text = "\n".join(line.rstrip() for line in screen.splitlines()) + "\n"
    if os.environ.get("REWRITE"):
        path.write_text(text)
    assert path.read_text() == text, f"{path.name} differs; REWRITE=1 records it anew"
