"""Messages as bytes: four bytes of length, then msgpack of one member of a closed union.

What comes is decoded once, with its type, and no longer than it may be; what is wrong is refused, and why.
"""

import hmac
from typing import Any

import msgspec

from attacca.errors import BadRequest, PayloadTooLarge
from attacca.io.wire.types import Hello

HEAD = 4
HELLO_BYTES = 4096
SHOWN = 200  # characters of what was wrong


class Goodbye(msgspec.Struct, frozen=True, tag=True):
    """The last word of a side that closes the link, or refuses to open it. `instead`: HOST:PORT, who would take it."""

    why: str
    instead: str = ""


class Codec:
    """`words` is the union of what may come."""

    def __init__(self, words: Any, message_bytes: int) -> None:
        self.message_bytes = message_bytes
        self._decoder = msgspec.msgpack.Decoder(words | Goodbye)
        self._encoder = msgspec.msgpack.Encoder()

    def encode(self, message: object) -> bytes:
        """
        Raises:
            PayloadTooLarge: nobody would take it.
        """
        head, payload = self.frame(message)
        return head + payload

    def frame(self, message: object) -> tuple[bytes, bytes]:
        """Both of its parts: what is long need not be copied to have its length before it.

        Raises:
            PayloadTooLarge: nobody would take it.
        """
        try:
            payload = self._encoder.encode(message)
        except UnicodeEncodeError:
            payload = self._encoder.encode(_whole(message))
        size = len(payload)
        if size > self.message_bytes:
            raise PayloadTooLarge(
                f"{type(message).__name__} has {size} bytes, and a link takes {self.message_bytes}",
                "send less at once: smaller bodies, fewer functions",
            )
        return size.to_bytes(HEAD, "big"), payload

    def decode(self, payload: bytes | bytearray) -> Any:
        """
        Raises:
            BadRequest: it is none of the words.
        """
        try:
            return self._decoder.decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
            raise BadRequest(f"sent what is no message: {str(error)[:SHOWN]}") from None


_HELLO: msgspec.msgpack.Decoder[Hello | Goodbye] = msgspec.msgpack.Decoder(Hello | Goodbye)


def decode_hello(payload: bytes | bytearray) -> Hello | Goodbye:
    """
    Raises:
        BadRequest: it is none.
    """
    try:
        return _HELLO.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise BadRequest(f"did not say who it is: {str(error)[:SHOWN]}") from None


AMONG_THEMSELVES = ("worker", "domain")  # planes that are joined to their own kind too


def refusal(ours: Hello, theirs: Hello) -> str:
    """Why these two are not joined; empty: they are."""
    if theirs.version != ours.version:
        return f"speaks version {theirs.version} of the messages, and this side {ours.version}: have both updated"
    if not hmac.compare_digest(ours.key, theirs.key):
        return "has another key"
    if theirs.plane == ours.plane and ours.plane not in AMONG_THEMSELVES:
        return f"is a {theirs.plane}, as this side is"
    return ""


def _whole(message: object) -> object:
    """As it is, but for halves of surrogate pairs: functions may say them, and no UTF-8 can."""
    plain = msgspec.to_builtins(message, builtin_types=(bytes,), str_keys=False)
    return _mended(plain)


def _mended(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_mended(key): _mended(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_mended(part) for part in value]
    return value
