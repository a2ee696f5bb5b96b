"""The settings of workflows: what the domain is called."""

from typing import Annotated

import msgspec

DOMAIN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}(?!\n)$"


class WorkflowsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    domain: Annotated[str, msgspec.Meta(pattern=DOMAIN)] = "attacca"
