"""An answer over HTTP/1.1 to one of our own requests to a program that a runtime is made of, read whole."""

import asyncio
from typing import Final

import httptools

PIECE: Final = 65_536


class TooLong(OSError):
    """It says more than anybody reads."""


class Reply:
    """As far as it has come."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.body = bytearray()
        self.is_whole = False

    def __repr__(self) -> str:
        return f"<Reply {len(self.body)} bytes{'' if self.is_whole else ' so far'}>"

    @property
    def status(self) -> int:
        """0: it has not come that far."""
        return int(self.parser.get_status_code())

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.is_whole = True


async def replied(reader: asyncio.StreamReader, most: int) -> Reply:
    """All of it, or as much as came before who gave it hung up. Of its body at most `most` bytes.

    Raises:
        TooLong, OSError: its body is longer, or the connection is gone.
        httptools.HttpParserError: it is no HTTP/1.1.
    """
    reply = Reply()
    while not reply.is_whole and (data := await reader.read(PIECE)):
        reply.parser.feed_data(data)
        if len(reply.body) > most:
            raise TooLong(f"an answer has more than {most >> 10} KB")
    return reply
