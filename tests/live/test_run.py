"""`make run`, as a newcomer meets it: six functions deployed and invoked in real sandboxes, and an end by Ctrl-C."""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMES = ("thumbnail", "markdown", "linsolve", "page", "compress", "api")


@contextlib.contextmanager
def start(place: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(ROOT / "scripts/run.py"), "--port", "0", "--place", str(place), *more]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ATTACCA_")}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environ)
    try:
        yield process
    finally:
        if process.poll() is None:  # only when the test has failed
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)


def test_it_ends_by_itself_or_by_ctrl_c(tmp_path: Path) -> None:
    with start(tmp_path, "--once") as once:
        printed = once.communicate(timeout=300)[0]
    assert once.returncode == 0, printed
    for name in NAMES:
        assert re.search(rf"^{name} .* (template|cold|prewarmed) +\d", printed, re.MULTILINE), printed
    for name in ("custom", "wasm", "container", "in-image", "microvm"):
        is_run = re.search(rf"^{name} .* (template|cold|prewarmed) +\d", printed, re.MULTILINE)
        assert is_run or re.search(rf"^left out {name} ", printed, re.MULTILINE), printed
    assert re.search(r"^workflow mapreduce .* in 13 pieces, 27,203 words", printed, re.MULTILINE), printed
    assert re.search(r"^workflow guestbook +1 entry in a database", printed, re.MULTILINE), printed

    with start(tmp_path) as staying:
        assert staying.stdout is not None
        for line in staying.stdout:
            if "Try next" in line:
                break
        staying.send_signal(signal.SIGINT)
        rest = staying.communicate(timeout=120)[0]
    assert staying.returncode == 0, rest
    assert "Stopped" in (tmp_path / "up.log").read_text()
