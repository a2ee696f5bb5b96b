"""The settings of the control plane: where its state lies, and what a deployment may ask for."""

from pathlib import Path
from typing import Annotated

import msgspec

from attacca.kernel.registry import Choice
from attacca.model.supplies import Ahead

Positive = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=1)]


class ArchiveLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How large the code of one function may be."""

    packed_mb: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 256
    unpacked_mb: Annotated[int, msgspec.Meta(ge=1, le=65_536)] = 512
    entries: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 20_000
    path_bytes: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 1024
    depth: Annotated[int, msgspec.Meta(ge=1, le=256)] = 32


class ControlConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    state_dir: Path
    secret_key_file: Path | None = None  # what secrets are sealed with; in the state directory when unset
    runs_dir: Path = Path("runs")  # of the laboratory: what lies there is shown; from where the server was started
    allow_source_builds: bool = False  # may a deployment have packages built here, with the server's rights?
    uploads: Count = 8  # deployments that are being uploaded and unpacked at once
    builds: Count = 4  # bundles that are being built at once
    build_timeout_s: Positive = 600.0
    compile_timeout_s: Positive = 60.0
    archive: ArchiveLimits = ArchiveLimits()
    artefact_mb: Positive = 64.0  # of code, or of a bundle, packed, that goes into a store which machines share
    prefetch: Ahead = Ahead.NONE  # which workers apart fetch code and images before anything of it is started there
    lease_s: Annotated[float, msgspec.Meta(ge=0.5, le=60)] = 2.0  # of several controls, the one that leads renews it
    scaling: Choice = Choice(policy="knative")  # of functions that control scales, unless they say otherwise
    placement: Choice = Choice(policy="kubernetes")  # of their sandboxes
