"""What each runtime of this machine costs: `attacca bench runtimes`, with daemons of its own where they are installed.

python bench/runtimes.py [OPTION]...

Writes bench/runtimes.json, of which `make docs` makes the table of docs/runtimes.md.
"""

import contextlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.live.engines.daemons import running

OUT = Path(__file__).with_name("runtimes.json")
DAEMONS = {"containerd": "containerd", "docker": "dockerd"}


def main() -> int:
    command = [sys.executable, "-m", "attacca.cli.app", "bench", "runtimes", "--out", str(OUT)]
    with tempfile.TemporaryDirectory(prefix="attacca-bench-") as place, contextlib.ExitStack() as stack:
        for kind, program in DAEMONS.items():
            if shutil.which(program) is not None:
                daemon = stack.enter_context(running(kind, Path(place) / kind))
                command += [f"--{kind}", daemon.socket]
        return subprocess.run([*command, *sys.argv[1:]], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
