"""Where a worker finds what revisions are made of: the one seam by which code reaches it. Messages carry digests."""

from pathlib import Path
from typing import Protocol


class CodeStore(Protocol):
    """`code` and `bundles` hold a directory for each digest of an artefact that a worker is told of, and keep it as
    long as the worker says that it is held. Both roots stay where they are: sandboxes see what comes into them."""

    @property
    def code(self) -> Path: ...
    @property
    def bundles(self) -> Path: ...
    def open(self) -> None:
        """From now on both roots are there."""


class SharedCode:
    """A CodeStore for a worker on the machine of its control, whose state directory holds all of it."""

    def __init__(self, state_dir: Path) -> None:
        self.code, self.bundles = state_dir / "code", state_dir / "bundles"

    def __repr__(self) -> str:
        return f"<SharedCode {self.code.parent}>"

    def open(self) -> None:
        for path in (self.code, self.bundles):
            path.mkdir(mode=0o755, parents=True, exist_ok=True)
