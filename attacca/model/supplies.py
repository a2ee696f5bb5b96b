"""What control and a worker apart say of what its sandboxes are made of: code, bundles and secrets."""

import msgspec

from attacca.model.invocation import Failed


class AskPiece(msgspec.Struct, frozen=True, tag=True):
    """The bytes of a packed directory of code, or of a bundle, from `offset` on."""

    id: str
    digest: str
    offset: int


class Piece(msgspec.Struct, frozen=True, tag=True):
    """The answer to the AskPiece of that id. `size` and `sha256` are of the whole tar; `error`: it is not to be had."""

    id: str
    data: bytes = b""
    size: int = 0
    sha256: str = ""
    error: Failed | None = None


class AskSecrets(msgspec.Struct, frozen=True, tag=True):
    """The values of these, for sandboxes that are given them."""

    id: str
    names: tuple[str, ...]


class SecretsTold(msgspec.Struct, frozen=True, tag=True):
    """The answer to the AskSecrets of that id. One that is not there is not to be had."""

    id: str
    values: dict[str, bytes]

    def __repr__(self) -> str:
        """What is logged or asserted may be read by anybody."""
        return f"SecretsTold({self.id!r}, {sorted(self.values)!r})"


class SecretChanged(msgspec.Struct, frozen=True, tag=True):
    """Who has its value has an old one."""

    name: str
