"""The agent alone, in a sandbox that somebody else has made: an image, a virtual machine, a process.

    python -I -S attacca/guest HERE READER WRITER [BUNDLE]

HERE holds the function's code, BUNDLE what it requires; READER and WRITER are the descriptors of its channel. What it
is to be is the first frame, as JSON (`spec.AgentSpec`).
"""

import contextlib
import json
import os
import sys

if __name__ == "__main__":
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from attacca.guest import agent, output
from attacca.guest import channel as wire
from attacca.guest.load import open_paths
from attacca.guest.spec import AgentSpec


def main() -> None:
    _, here, reader, writer, *bundles = sys.argv
    del sys.path[0]
    link = wire.Channel(int(reader), int(writer))
    output.prepare()
    os.chdir(here)
    open_paths(here, bundles[0] if bundles else None)
    with contextlib.suppress(wire.Closed, ConnectionError):
        spec: AgentSpec = json.loads(link.read()[2])
        times = {"sandbox_ms": 0.0, "code_ms": 0.0}
        agent.live(spec, link, lambda: agent.load_in_time(spec, here), here, times)
    os._exit(0)


if __name__ == "__main__":
    main()
