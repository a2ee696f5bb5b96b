"""The settings of the control plane: where its state lies, and what a deployment may ask for."""

from pathlib import Path
from typing import Annotated

import msgspec

Positive = Annotated[float, msgspec.Meta(gt=0)]


class ArchiveLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How large the code of one function may be."""

    packed_mb: int = 256
    unpacked_mb: int = 512
    entries: int = 20_000
    path_bytes: int = 1024
    depth: int = 32


class ControlConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    state_dir: Path
    allow_source_builds: bool = False  # may a deployment have packages built here, with the server's rights?
    build_timeout_s: Positive = 600.0
    compile_timeout_s: Positive = 60.0
    archive: ArchiveLimits = ArchiveLimits()
