"""What is deployed: each function's kept revisions, which one is current, and the generation of the whole."""

import difflib
from collections.abc import Iterable

import msgspec

from attacca.control.core.stored import Function
from attacca.errors import BadRequest, NotFound
from attacca.model.function import Artefact, AsyncSettings, PythonDirectory, Revision, Scale
from attacca.model.messages import Catalogue, Deleted, Deployed

KEPT_REVISIONS = 10
RESERVED_NAMES = 4096  # functions whose number is remembered although no kept revision has it
EPOCH_BITS = 32  # generations of one run of the server


def deployed(before: Function | None, revision: Revision) -> Function:
    """The new revision is current; beyond KEPT_REVISIONS the oldest go."""
    older = () if before is None else before.revisions
    kept = (*older, revision)[-KEPT_REVISIONS:]
    return Function(revision.function, revision.number, revision.number, kept)


def rolled_back(function: Function, to: int | None) -> Function:
    """An older revision is current again, under its own number; None means the kept one before the current.

    Newer revisions are kept too, so that a rollback can be taken back; the next deploy gets a number of its own.

    Raises:
        NotFound: there is no such revision.
        BadRequest: it is current already.
    """
    if to is None:
        earlier = [revision.number for revision in function.revisions if revision.number < function.current]
        if not earlier:
            hint = f"attacca describe {function.name} lists what is kept"
            raise NotFound(f"{function.name} has no revision before {function.current}", hint)
        to = earlier[-1]
    number = function.at(to).number
    if number == function.current:
        raise BadRequest(
            f"{function.name} is at revision {to} already", f"attacca describe {function.name} lists the others"
        )
    return Function(function.name, number, function.last, function.revisions)


def rescaled(function: Function, scale: Scale) -> Function:
    """Its current revision, under the same number, scaled otherwise.

    Raises:
        BadRequest: what it would have does not fit together.
    """
    now = function.now
    try:
        settings = scale.of(now.settings)
    except ValueError as error:
        raise BadRequest(f"{function.name}: {error}", f"attacca describe {function.name} shows what it has") from None
    after = msgspec.structs.replace(now, settings=settings)
    revisions = tuple(after if each is now else each for each in function.revisions)
    return Function(function.name, function.current, function.last, revisions)


def changes(before: Revision | None, after: Revision) -> tuple[str, ...]:
    """What a person would want to know of the step from one revision to another; environment by name only."""
    if before is None:
        return ("new function",)
    found = _artefact_changes(before.artefact, after.artefact)
    found += [
        f"{field}: {getattr(before, field)} -> {getattr(after, field)}"
        for field in ("handler", "signature", "event")
        if getattr(before, field) != getattr(after, field)
    ]
    for field in after.settings.__struct_fields__:
        old, new = getattr(before.settings, field), getattr(after.settings, field)
        if field in ("env", "secrets"):
            names = sorted({*old, *new})
            found += [f"{field}.{name}" for name in names if old.get(name) != new.get(name)]
        elif isinstance(old, AsyncSettings):
            parts = [part for part in old.__struct_fields__ if getattr(old, part) != getattr(new, part)]
            found += [f"async.{part}: {_plain(getattr(old, part))} -> {_plain(getattr(new, part))}" for part in parts]
        elif field not in ("name", "handler", "event") and old != new:
            found.append(f"{field}: {_plain(old)} -> {_plain(new)}")
    return tuple(found)


def _artefact_changes(before: Artefact, after: Artefact) -> list[str]:
    if isinstance(before, PythonDirectory) and isinstance(after, PythonDirectory):
        found = ["code"] if before.code != after.code else []
        return [*found, "requirements"] if before.bundle != after.bundle else found
    if before == after:
        return []
    return ["code"] if before.what == after.what else [f"code: {before.what} -> {after.what}"]


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "none"
    return "unset" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


class CatalogueState:
    """The functions of one domain. Each change counts the generation up by one; a new epoch starts a higher count.

    Numbers of revisions are not given twice while the server runs, not even to a function that was deleted and comes
    back: sandboxes of its former life may still run, and are told apart by number.
    """

    def __init__(self, functions: Iterable[Function], epoch: int) -> None:
        self.generation = epoch << EPOCH_BITS
        self.keeping: dict[str, Revision] = {}  # current revisions that want sandboxes whether anybody calls or not
        self._functions: dict[str, Function] = {}
        self._whole: Catalogue | None = None  # as it is now, once somebody has asked
        self._reserved: dict[str, int] = {}
        for function in sorted(functions, key=lambda each: each.name):
            self._take(function)

    def __repr__(self) -> str:
        return f"<CatalogueState {self.generation}: {len(self._functions)} functions, {len(self._reserved)} reserved>"

    @property
    def epoch(self) -> int:
        return self.generation >> EPOCH_BITS

    def names(self) -> list[str]:
        return sorted(self._functions)

    def find(self, name: str) -> Function | None:
        return self._functions.get(name)

    def get(self, name: str) -> Function:
        """
        Raises:
            NotFound: with near names.
        """
        function = self._functions.get(name)
        if function is None:
            name = name[:80]
            near = difflib.get_close_matches(name, self._functions, n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else "attacca list shows what is deployed"
            raise NotFound(f"there is no function {name!r}", hint)
        return function

    def next_number(self, name: str) -> int:
        function = self._functions.get(name)
        last = 0 if function is None else function.last
        return max(last, self._reserved.get(name, 0)) + 1

    def reserve(self, name: str, number: int) -> None:
        """A worker may know this number, or a smaller one; it is not given again."""
        self._reserved.pop(name, None)
        self._reserved[name] = number
        if len(self._reserved) > RESERVED_NAMES:
            del self._reserved[next(iter(self._reserved))]

    def put(self, function: Function) -> Deployed:
        self._take(function)
        self.generation += 1
        self._whole = None
        return Deployed(self.generation, function.now)

    def remove(self, name: str) -> Deleted:
        function = self._functions.pop(name)
        self.keeping.pop(name, None)
        self.reserve(name, max(function.last, self._reserved.get(name, 0)))
        self.generation += 1
        self._whole = None
        return Deleted(self.generation, name)

    def current(self) -> list[Revision]:
        return [self._functions[name].now for name in self.names()]

    def catalogue(self) -> Catalogue:
        if self._whole is None:
            self._whole = Catalogue(self.generation, tuple(self.current()))
        return self._whole

    def kept(self) -> list[Revision]:
        """Every revision whose code and bundle must stay."""
        return [revision for name in self.names() for revision in self._functions[name].revisions]

    def _take(self, function: Function) -> None:
        self._functions[function.name] = function
        self.keeping.pop(function.name, None)
        if function.now.settings.reserves:
            self.keeping[function.name] = function.now
