"""A function as it lies in the store, and whether it can be what attacca wrote there. Pure."""

import math
import re

import msgspec

from attacca.control.core.catalogue import Function
from attacca.errors import AttaccaError, StateCorrupt

FUNCTIONS = "functions/"
EPOCH = "epoch"
EPOCHS = re.compile(rb"[0-9]{1,9}")
DIGEST = re.compile(r"[0-9a-f]{40}")
NUMBERS = 2**53  # beyond, JSON's numbers are not told apart everywhere


def decode(key: str, value: bytes) -> Function:
    try:
        function = msgspec.json.decode(value, type=Function)
        function.now  # noqa: B018 - a current revision that is not kept is damage too
    except (msgspec.DecodeError, AttaccaError, RecursionError) as error:
        raise unreadable(key, str(error)) from None
    reason = wrong(function)
    if reason:
        raise unreadable(key, reason)
    if key != FUNCTIONS + function.name:
        raise unreadable(key, f"it holds {function.name!r}")
    return function


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
        paths = [revision.code] if revision.bundle is None else [revision.code, revision.bundle]
        if not all(DIGEST.fullmatch(path) for path in paths):
            return f"revision {revision.number} has code or a bundle that is no digest"
        if not math.isfinite(revision.created_at):
            return f"revision {revision.number} was made at no time"
    return ""


def unreadable(key: str, reason: str) -> StateCorrupt:
    return StateCorrupt(
        f"the entry {key!r} of the state cannot be read: {reason}",
        "restore state.db from a backup, or choose another directory with --state-dir to start empty",
    )
