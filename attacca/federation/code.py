"""The code of a workflow that a federation starts in a domain: it comes over the link, into control's own directory."""

from collections.abc import Callable
from pathlib import Path

from attacca.model.supplies import AskPiece, AskSecrets, Piece
from attacca.model.workflow import WorkflowSpec
from attacca.worker.runtime.code_cache import CodeCache
from attacca.worker.runtime.supplies import Supplies
from attacca.workflow.core.graph import Workflow


class Shelf(CodeCache):
    """Control's `code` and `bundles`: it has what lies there, and control itself removes what nobody needs."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, 0)

    def __repr__(self) -> str:
        return f"<Shelf {self.code.parent}>"

    def has(self, digest: str) -> bool:
        return any((root / digest).is_dir() for root in (self.code, self.bundles))

    def keep(self, kind: str, digest: str) -> None:
        """It lies there."""

    def make_room(self, _: object) -> list[str]:
        return []


class Code:
    """`send` asks the federation."""

    def __init__(self, directory: Path, send: Callable[[AskPiece | AskSecrets], None]) -> None:
        self._supplies = Supplies(Shelf(directory), send)
        self._wanted: dict[str, int] = {}  # digests of what is being brought: nobody may remove it meanwhile

    def __repr__(self) -> str:
        return f"<Code {len(self._wanted)} wanted>"

    def hear(self, piece: Piece) -> None:
        self._supplies.hear(piece)

    def ask_again(self) -> None:
        self._supplies.ask_again()

    def digests(self) -> set[str]:
        return set(self._wanted)

    async def bring(self, spec: WorkflowSpec) -> None:
        """Until all of it lies here, from when on whoever needs it has to say so.

        Raises:
            StartFailed, Unreachable: something of it is not to be had.
        """
        revisions = {part.spec.name: part.revision for part in Workflow("", spec, 0.0, 0.0).parts.values()}
        coded = [one for component, one in zip(spec.components, revisions.values(), strict=True) if component.artefact]
        digests = {digest for one in coded for digest in one.artefact.digests}
        for digest in digests:
            self._wanted[digest] = self._wanted.get(digest, 0) + 1
        try:
            for one in coded:
                await self._supplies.bring(one, tuple)
        finally:
            for digest in digests:
                left = self._wanted.pop(digest) - 1
                if left:
                    self._wanted[digest] = left

    async def close(self) -> None:
        await self._supplies.close()
