"""The settings of a domain's place in a federation, and of the federation itself."""

from pathlib import Path
from typing import Annotated

import msgspec

from attacca.io.wire.tcp import parsed


class FederationConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`certs` and `join_token_file` are of the federation that is joined, and its own."""

    join: str = ""  # HOST:PORT, with commas between several, where the federation listens; empty: the domain is alone
    certs: Path | None = None  # a directory that `attacca certs domain` made: the link passes through TLS
    join_token_file: Path | None = None  # what `attacca token join` printed at the federation
    portal: str = "127.0.0.1:0"  # HOST:PORT, where the portals of other domains dial this one; port 0: any free one
    advertise: str = ""  # HOST or HOST:PORT, where they reach it; as it listens when unset
    silent_s: Annotated[float, msgspec.Meta(ge=2)] = 10.0  # of a federation: after that without a word it is elsewhere

    def __post_init__(self) -> None:
        for text in (*self.addresses, self.portal):
            if parsed(text) is None:
                raise ValueError(f"{text!r} is not HOST:PORT")

    @property
    def addresses(self) -> list[str]:
        return [one.strip() for one in self.join.split(",") if one.strip()]
