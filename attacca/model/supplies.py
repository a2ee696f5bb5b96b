"""What control and a worker apart say of what its sandboxes are made of: code, bundles and secrets."""

from enum import StrEnum
from typing import Annotated, Final

import msgspec

from attacca.model.function import Revision
from attacca.model.invocation import Failed

STOCK_MOST: Final = 1024  # digests that a worker tells of


class Ahead(StrEnum):
    """Who fetches what is deployed before anything of it is started there."""

    NONE = "none"  # nobody: a worker has it from its first start on, and whoever has tried it
    ON_DEPLOY = "on_deploy"  # every worker that is there when it is deployed
    ONE = "one"  # one worker, and another when that one is gone
    ALL = "all"  # every worker, also who joins later


class Stock(msgspec.Struct, frozen=True, tag=True):
    """What lies on a worker apart: the digests of code, bundles and images, at most so many, the latest last. Said when
    it has joined, and whenever that has changed."""

    worker: str
    digests: Annotated[tuple[Annotated[str, msgspec.Meta(max_length=128)], ...], msgspec.Meta(max_length=STOCK_MOST)]


class Prefetch(msgspec.Struct, frozen=True, tag=True):
    """A worker apart is to have what this revision is made of; nobody waits for it, and no secret comes with it."""

    revision: Revision


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
