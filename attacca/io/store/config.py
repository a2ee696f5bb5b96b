"""The settings of the store: where it is, and how long it is waited for."""

from pathlib import Path
from typing import Annotated

import msgspec


class StoreConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`url`: see `address`. `timeout_s`: of one call, with all its attempts; SQLite's are not limited."""

    url: str = "sqlite:"
    password_file: Path | None = None
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 5.0
