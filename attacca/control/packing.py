"""What all planes are told is encoded once."""

from collections.abc import Callable
from typing import Any

from attacca.model.messages import Catalogue

Say = Callable[[str, Any], None]


def packing(send: Say) -> Say:
    """For links of bytes. A thousand workers that join one after the other are sent the same catalogue."""

    def send_packed(peer: str, message: Any) -> None:
        send(peer, message.packed if type(message) is Catalogue else message)

    return send_packed
