"""The settings of workflows: what the domain is called, and who may speak to it."""

from typing import Annotated

import msgspec

DOMAIN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}(?!\n)$"

URL = r"^(http://(\[[0-9a-fA-F:]+\]|[^/:\s\[\]]+):\d{1,5}/?)?(?!\n)$"


class WorkflowsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    domain: Annotated[str, msgspec.Meta(pattern=DOMAIN)] = "attacca"
    edgeless_url: Annotated[str, msgspec.Meta(pattern=URL)] = ""  # http://HOST:PORT, for the command line of EDGELESS
