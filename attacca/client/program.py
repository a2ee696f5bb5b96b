"""attacca as a program of its own."""

import sys


def ourselves() -> list[str]:
    """This program once more, for a process of its own. What lies in the working directory, random.py say, is no module
    of its."""
    return [sys.executable, "-P", "-m", "attacca.cli.app"]
