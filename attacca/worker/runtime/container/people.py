"""Whom an image wants its program to be: names are looked up in the image's own /etc/passwd and /etc/group."""

import os

from attacca.errors import BadFunction

LARGEST = 1 << 20  # bytes of such a file
ID_MOST = 0xFFFFFFFE


def whom(rootfs: str, user: str) -> tuple[int, int]:
    """Blocking: files are read.

    Raises:
        BadFunction: nobody of that name is there.
    """
    name, _, group = user.partition(":")
    if all(not one or one.isdecimal() for one in (name, group)) and (group or not name):
        return _number(name or "0"), _number(group or "0")
    return resolved(user, _read(rootfs, "passwd"), _read(rootfs, "group"))


def resolved(user: str, passwd: str, groups: str) -> tuple[int, int]:
    """
    Raises:
        BadFunction: nobody of that name is there.
    """
    name, _, group = user.partition(":")
    uid, gid = -1, 0
    for fields in _lines(passwd, 4):
        if name in (fields[0], fields[2]):
            uid, gid = _number(fields[2]), _number(fields[3])
            break
    if uid < 0:
        uid = _number(name)
    if group:
        known = [fields[2] for fields in _lines(groups, 3) if group in (fields[0], fields[2])]
        gid = _number(known[0] if known else group)
    return uid, gid


def _number(text: str) -> int:
    if text.isascii() and text.isdecimal() and int(text) <= ID_MOST:
        return int(text)
    raise BadFunction(f"the image is to run as {text[:64]!r}, and has no such user or group", "name one that it has")


def _lines(text: str, least: int) -> list[list[str]]:
    return [fields for fields in (line.split(":") for line in text.splitlines()) if len(fields) >= least]


def _read(rootfs: str, name: str) -> str:
    """Of the image and not of the machine: no link is followed out of it."""
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        above = os.open(f"{rootfs}/etc", flags | os.O_DIRECTORY)
    except OSError:
        return ""
    try:
        with open(os.open(name, flags, dir_fd=above), encoding="utf-8", errors="replace") as file:
            return file.read(LARGEST)
    except OSError:
        return ""
    finally:
        os.close(above)
