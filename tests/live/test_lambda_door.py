"""The door at which a container's program asks for its events is closed whole, whenever that is."""

import asyncio
import socket

from attacca.kernel.clock import ManualClock
from attacca.model.function import Image, Revision, Settings, Signature
from attacca.worker.host.network import Namespace
from attacca.worker.runtime.container.lambda_api import LambdaApi

REVISION = Revision(
    function="box", number=1, settings=Settings(name="box"), handler="", signature=Signature.WSGI, artefact=Image("a")
)


def test_one_that_is_given_up_while_it_opens_leaves_the_loop_nothing_of_its_socket() -> None:
    """Who has its descriptor next could be neither heard nor told otherwise."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        for turns in range(4):
            api = LambdaApi(REVISION, 100, ManualClock(5.0), lambda *_: None)
            opening = loop.create_task(api.open(Namespace(-1, -1)))
            for _ in range(turns):
                await asyncio.sleep(0)
            api.close()
            opening.cancel()
            await asyncio.gather(opening, return_exceptions=True)
            pairs = [socket.socketpair() for _ in range(3)]
            for one in (end for pair in pairs for end in pair):
                loop.add_writer(one, lambda: None)
                loop.remove_writer(one)
                one.close()

    asyncio.run(main())
