"""A worker's way out, and sandboxes with it, until somebody ends this: `python -m tests.live.plugged COUNT`."""

import asyncio
import sys

from attacca.model.function import Network, Settings
from attacca.worker.host.nat.options import NatOptions
from attacca.worker.host.nat.outside import Nat
from tests.live.outside import Sandbox

SETTINGS = Settings(name="f", network=Network.NAT)


async def main(count: int) -> None:
    nat = Nat(NatOptions())
    nat.hold()
    sandboxes = [Sandbox() for _ in range(count)]
    await asyncio.gather(*(nat.plug(one.namespace, SETTINGS, print) for one in sandboxes))
    sys.stdout.write(f"{nat!r}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
