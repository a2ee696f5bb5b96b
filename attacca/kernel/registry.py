"""Turn a name and its options into a policy: built in, installed as an entry point, or named as module:Class."""

from collections.abc import Mapping
from functools import cache
from importlib import metadata
from importlib.metadata import EntryPoint, EntryPoints
from typing import TypeVar, cast

import msgspec

from attacca.errors import BadConfig

P = TypeVar("P")


class Choice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A policy by its name, or as module:Class, and what it shall be told."""

    policy: str
    options: dict[str, object] = {}


@cache
def entry_points(*, group: str) -> EntryPoints:
    """Looks through all of sys.path, where nothing is installed meanwhile."""
    return metadata.entry_points(group=group)


def build(family: Mapping[str, type[P]], choice: str, options: Mapping[str, object], group: str) -> P:
    """Make the policy `choice` of a family with these options.

    `group` names the entry points with which others add theirs; its last part is the family: attacca.policy.queueing.

    Raises:
        BadConfig: no such policy, or an option that it does not have or cannot take.
    """
    kind = f"{group.rpartition('.')[2]} policy"
    policy = find(family, choice, group, kind)
    try:
        return msgspec.convert(options, policy, strict=True)
    except msgspec.ValidationError as error:
        raise BadConfig(f"{kind} {choice!r}: {error}", _options(policy)) from None


def find(family: Mapping[str, type[P]], choice: str, group: str, kind: str) -> type[P]:
    if choice in family:
        return family[choice]
    installed = {point.name: point for point in entry_points(group=group)}
    if choice in installed:
        return _checked(family, choice, _load(installed[choice], choice, kind), kind)
    if ":" in choice:
        return _checked(family, choice, _load(EntryPoint(choice, choice, group), choice, kind), kind)
    known = sorted({*family, *installed})
    raise BadConfig(f"no {kind} is called {choice!r}", f"known: {', '.join(known)}; or name your own as module:Class")


def _load(point: EntryPoint, choice: str, kind: str) -> object:
    try:
        return cast("object", point.load())
    except (ImportError, AttributeError, ValueError) as error:
        hint = "write it as module:Class, with the module where Python finds it (PYTHONPATH)"
        raise BadConfig(f"{kind} {choice!r} cannot be loaded: {error}", hint) from error


def _checked(family: Mapping[str, type[P]], choice: str, found: object, kind: str) -> type[P]:
    """A stranger must be a Struct, so that its options can be checked, and must have what all of its family have."""
    if not (isinstance(found, type) and issubclass(found, msgspec.Struct)):
        hint = "make it a msgspec.Struct whose fields are its options"
        raise BadConfig(f"{kind} {choice!r} is not a policy class", hint)
    shared = set.intersection(*(_methods(member) for member in family.values())) if family else set()
    missing = sorted(shared - _methods(found))
    if missing:
        raise BadConfig(f"{kind} {choice!r} lacks {', '.join(missing)}", f"copy the shape of {min(family)!r}")
    return cast("type[P]", found)


def _options(policy: type[object]) -> str:
    known = [field.name for field in msgspec.structs.fields(policy)] if issubclass(policy, msgspec.Struct) else []
    return f"its options: {', '.join(known)}" if known else "it has no options"


def _methods(policy: type[object]) -> set[str]:
    return {name for name in dir(policy) if not name.startswith("_") and callable(getattr(policy, name))}
