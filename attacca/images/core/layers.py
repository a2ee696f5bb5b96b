"""What is done about each entry of a layer: decided from its header alone, before anything of it is written."""

import msgspec

from attacca.errors import BadImage

OPAQUE = ".wh..wh..opq"
WHITEOUT = ".wh."
PATH_BYTES = 4096
NAME_BYTES = 255
DEPTH = 128
MODE, DIRECTORY_MODE = 0o777, 0o1777  # nothing runs with another's rights, so no bit that gives them is kept
ID_MOST = (1 << 31) - 1
TIME_MOST = (1 << 34) - 1
FILE, DIRECTORY, SYMLINK, LINK = "0", "5", "2", "1"
HINT = "build the image anew, or take another"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How large an image may be, all its layers together. `steps`: on the ways of its paths, where links lead."""

    unpacked_bytes: int = 16 << 30
    entries: int = 1_000_000
    steps: int = 20_000_000


class Entry(msgspec.Struct, frozen=True):
    """As its header has it. `kind` is the letter that tar has for it."""

    name: str
    kind: str
    mode: int = 0o644
    size: int = 0
    link: str = ""
    uid: int = 0
    gid: int = 0
    time: float = 0


class Make(msgspec.Struct, frozen=True):
    """It is to be there, whatever was there before. `target`: what a symbolic link says, or which path a hard link
    is another name of."""

    path: tuple[str, ...]
    kind: str
    mode: int
    uid: int
    gid: int
    time: float
    target: str = ""
    linked: tuple[str, ...] = ()


class Remove(msgspec.Struct, frozen=True):
    """What layers below have there is gone."""

    path: tuple[str, ...]


class Empty(msgspec.Struct, frozen=True):
    """What layers below have in this directory is gone."""

    path: tuple[str, ...]


class Pass(msgspec.Struct, frozen=True):
    """It says nothing."""


Plan = Make | Remove | Empty | Pass
PASS = Pass()


def plan(entry: Entry) -> Plan:
    """
    Raises:
        BadImage: it is nothing that a layer may have.
    """
    path = parts(entry.name)
    if not path:
        return PASS  # the root itself
    last = path[-1]
    if last == OPAQUE:
        return Empty(path[:-1])
    if last.startswith(WHITEOUT):
        return _removed(path, last.removeprefix(WHITEOUT))
    mode = entry.mode & (DIRECTORY_MODE if entry.kind == DIRECTORY else MODE)
    uid, gid = _within(entry.uid, ID_MOST, entry.name), _within(entry.gid, ID_MOST, entry.name)
    time = entry.time if 0 <= entry.time <= TIME_MOST else 0
    if entry.kind == SYMLINK:
        return Make(path, SYMLINK, mode, uid, gid, time, _text(entry.link, entry.name))
    if entry.kind == LINK:
        return Make(path, LINK, mode, uid, gid, time, linked=_linked(entry))
    if entry.kind in (FILE, DIRECTORY):
        return Make(path, entry.kind, mode, uid, gid, time)
    raise BadImage(f"{shown(entry.name)} is neither a file nor a directory nor a link: devices are not taken", HINT)


def _removed(path: tuple[str, ...], name: str) -> Plan:
    if name.startswith(WHITEOUT):
        return PASS  # of aufs, for itself
    if name in ("", ".", ".."):
        raise BadImage(f"{shown('/'.join(path))} would remove what is not below it", HINT)
    return Remove((*path[:-1], name))


def _linked(entry: Entry) -> tuple[str, ...]:
    linked = parts(entry.link)
    if not linked:
        raise BadImage(f"{shown(entry.name)} is a hard link to nothing", HINT)
    return linked


def parts(name: str) -> tuple[str, ...]:
    """A path below the root, however it is written; () is the root.

    Raises:
        BadImage: it climbs out, or is longer than a path may be.
    """
    found = tuple(part for part in name.split("/") if part not in ("", "."))
    if ".." in found:
        raise BadImage(f"{shown(name)} climbs out of the image", HINT)
    size = len(name.encode("utf-8", "surrogateescape"))
    if size > PATH_BYTES or len(found) > DEPTH or "\0" in name:
        raise BadImage(f"{shown(name)} is no path that can be made: it has {size} bytes, {len(found)} parts", HINT)
    if any(len(part.encode("utf-8", "surrogateescape")) > NAME_BYTES for part in found):
        raise BadImage(f"{shown(name)} has a part of more than {NAME_BYTES} bytes", HINT)
    return found


def _text(target: str, name: str) -> str:
    """Wherever it leads: who follows it is in the image, or follows it as if that were all there is."""
    if not target or "\0" in target or len(target.encode("utf-8", "surrogateescape")) >= PATH_BYTES:
        raise BadImage(f"{shown(name)} is a link to what is no path", HINT)
    return target


def _within(number: int, most: int, name: str) -> int:
    if not 0 <= number <= most:
        raise BadImage(f"{shown(name)} belongs to {number}, who cannot be", HINT)
    return number


def shown(name: str) -> str:
    return repr(name[:200])
