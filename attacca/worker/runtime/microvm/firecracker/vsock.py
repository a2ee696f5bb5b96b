"""Streams to a guest of a Firecracker, through the socket that it has for them: a line says to which port."""

import asyncio
import re
import socket
from typing import Final

from attacca.errors import StartFailed
from attacca.worker.runtime.microvm.firecracker.api import connected

ANSWER: Final = re.compile(rb"OK [0-9]{1,10}\n")
ANSWER_MOST: Final = 16  # bytes
AGAIN_S: Final = 0.02  # until the next try of one that is told that nobody listens
HINT: Final = "`attacca doctor` says what is there"


async def stream(path: str, port: int, timeout_s: float) -> socket.socket:
    """To a port of the guest, as soon as somebody listens there.

    Raises:
        StartFailed: nobody does in time, or the answer is none.
    """
    try:
        async with asyncio.timeout(timeout_s):
            while (sock := await _tried(path, port)) is None:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(AGAIN_S)
            return sock
    except (TimeoutError, OSError) as error:
        why = f"within {timeout_s:g} s" if isinstance(error, TimeoutError) else f"({type(error).__name__})"
        raise StartFailed(f"nobody in the machine listens to port {port} {why}", HINT) from None


async def _tried(path: str, port: int) -> socket.socket | None:
    loop, sock = asyncio.get_running_loop(), await connected(path)
    try:
        await loop.sock_sendall(sock, b"CONNECT %d\n" % port)
        heard = b""
        while not heard.endswith(b"\n") and len(heard) < ANSWER_MOST:
            one = await loop.sock_recv(sock, 1)  # what follows is the guest's
            if not one:
                sock.close()
                return None
            heard += one
        if not ANSWER.fullmatch(heard):
            raise StartFailed(f"its monitor answered {heard!r} where OK and a number are due", HINT)
    except ConnectionError:
        sock.close()
        return None
    except BaseException:
        sock.close()
        raise
    return sock
