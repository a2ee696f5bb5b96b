"""A function as it lies in the store, and whether it can be what attacca wrote there. Pure."""

import math
import re

import msgspec

from attacca.errors import AttaccaError, NotFound, StateCorrupt
from attacca.model.function import EventShape, PythonDirectory, Revision, Settings, Signature

FUNCTIONS = "functions/"
EPOCH = "epoch"
EPOCHS = re.compile(rb"[0-9]{1,9}")
DIGEST = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")  # of a directory, or of an image
NUMBERS = 2**53  # beyond, JSON's numbers are not told apart everywhere


class Function(msgspec.Struct, frozen=True):
    """As it lies in the store. `last` is the highest number ever given to a revision of it."""

    name: str
    current: int
    last: int
    revisions: tuple[Revision, ...]  # by number

    @property
    def now(self) -> Revision:
        return self.at(self.current)

    def at(self, number: int) -> Revision:
        """
        Raises:
            NotFound: it is not kept.
        """
        for revision in self.revisions:
            if revision.number == number:
                return revision
        kept = ", ".join(str(revision.number) for revision in self.revisions)
        raise NotFound(f"{self.name} has no revision {number}", f"kept revisions: {kept}")


class OldRevision(msgspec.Struct, frozen=True, kw_only=True):
    """As it was written while all code was Python's."""

    function: str
    number: int
    settings: Settings
    handler: str
    signature: Signature
    event: EventShape = EventShape.PLAIN
    code: str
    bundle: str | None = None
    created_at: float = 0.0

    def renewed(self) -> Revision:
        return Revision(
            function=self.function,
            number=self.number,
            settings=self.settings,
            handler=self.handler,
            signature=self.signature,
            event=self.event,
            artefact=PythonDirectory(self.code, self.bundle),
            created_at=self.created_at,
        )


class OldFunction(msgspec.Struct, frozen=True):
    name: str
    current: int
    last: int
    revisions: tuple[OldRevision, ...]

    def renewed(self) -> Function:
        return Function(self.name, self.current, self.last, tuple(old.renewed() for old in self.revisions))


_current = msgspec.json.Decoder(Function).decode
_before_artefacts = msgspec.json.Decoder(OldFunction).decode


def decode(key: str, value: bytes) -> Function:
    try:
        function = _function(value)
        function.now  # noqa: B018 - a current revision that is not kept is damage too
    except (msgspec.DecodeError, AttaccaError, RecursionError) as error:
        raise unreadable(key, str(error)) from None
    reason = wrong(function)
    if reason:
        raise unreadable(key, reason)
    if key != FUNCTIONS + function.name:
        raise unreadable(key, f"it holds {function.name!r}")
    return function


def _function(value: bytes) -> Function:
    try:
        return _current(value)
    except msgspec.ValidationError:
        try:
            return _before_artefacts(value).renewed()
        except msgspec.ValidationError:
            pass  # then it is wrong as it is written today
        raise


def read_epoch(value: bytes) -> int:
    if EPOCHS.fullmatch(value) is None:
        raise unreadable(EPOCH, "it is not a number that counts starts")
    return int(value)


def wrong(function: Function) -> str:
    """What no attacca has written: paths and numbers are made of it."""
    numbers = [revision.number for revision in function.revisions]
    if sorted(set(numbers)) != numbers or not 0 < numbers[0] <= numbers[-1] <= function.last < NUMBERS:
        return "its revisions are not numbered in order"
    for revision in function.revisions:
        if revision.function != function.name or revision.settings.name != function.name:
            return f"revision {revision.number} is of {revision.function!r}"
        if not all(DIGEST.fullmatch(digest) for digest in revision.artefact.digests):
            return f"revision {revision.number} has code or a bundle that is no digest"
        if not math.isfinite(revision.created_at):
            return f"revision {revision.number} was made at no time"
    return ""


def unreadable(key: str, reason: str) -> StateCorrupt:
    return StateCorrupt(
        f"the entry {key!r} of the state cannot be read: {reason}",
        "restore state.db from a backup, or choose another directory with --state-dir to start empty",
    )
