"""The settings of the mirror: where it is, and in which of the shapes that EDGELESS has had."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec

Positive = Annotated[float, msgspec.Meta(gt=0)]


class Shape(StrEnum):
    """`document`: as its orchestration guide has them: lists of samples, the latest health as a text. `newest`: as the
    newest EDGELESS has them: sorted sets of both. `both` has all that fits into one database: samples twice, the
    health as a sorted set."""

    BOTH = "both"
    NEWEST = "newest"
    DOCUMENT = "document"


class MirrorConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    url: str = ""  # redis://host:6379/0, rediss:// over TLS; empty: there is no mirror
    password_file: Path | None = None
    prefix: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._:-]{0,64}(?!\n)$")] = ""  # before the name of every key
    shape: Shape = Shape.BOTH
    every_s: Annotated[float, msgspec.Meta(ge=0.05, le=3600)] = 1.0  # between two looks at intents, and two writings
    keep_s: Annotated[float, msgspec.Meta(ge=1, le=31_536_000)] = 600.0  # what is measured
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 2.0  # of one exchange with Redis
