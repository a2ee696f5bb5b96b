"""Which lines of a requirements.txt are taken: packages by name, wheels by https address, and where to look for them.

pip never sees what was written, only what was understood of it, written anew: so nothing depends on how pip splits
lines, expands variables, shortens options or guesses at encodings.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

import msgspec

from attacca.errors import BadRequest

MOST_LINES = 2000
MOST_SIGNS, MOST_WITH_HASHES = 2000, 65_536  # of one line
OPTIONS = {"-i": "--index-url", "--index-url": "--index-url", "--extra-index-url": "--extra-index-url"}
FLAGS = ("--pre", "--prefer-binary")
ARCHIVES = (".zip", ".whl", ".tar", ".gz", ".tgz", ".bz2", ".tbz", ".xz", ".txz", ".lz", ".tlz", ".lzma")
COMMENT = re.compile(r"(?:^|\s)#.*")
HASH = re.compile(r"--hash[= ](sha(?:256|384|512):[0-9a-f]+)")
PACKAGE = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)[ \t]*"
    r"(?:\[(?P<extras>[A-Za-z0-9._, \t-]*)\])?[ \t]*(?P<rest>.*)"
)
VERSION = re.compile(r"[ \t]*(===|[<>!~=]=|[<>])[ \t]*([A-Za-z0-9.*+!_-]+)[ \t]*")
INDEX = re.compile(r"https?://[A-Za-z0-9._~:/?&=%@!*+,;\[\]-]+")
ADDRESS = re.compile(r"(?P<address>[A-Za-z0-9._~:/?#&=%@!*+,\[\]-]+)(?:[ \t]+;(?P<marker>.*))?")
WHEEL = re.compile(r"[\w.!+]+(-[\w.!+]+){4,5}\.whl", re.ASCII)
MARKER = re.compile(
    r"[ \t]*(?:(?P<variable>python_version|python_full_version|os_name|sys_platform|platform_(?:release|system|version|"
    r"machine|python_implementation)|implementation_(?:name|version)|extra)\b|(?P<word>not[ \t]+in|in|and|or)\b|"
    r"(?P<sign>===|[<>!~=]=|[<>()])|(?P<text>'[A-Za-z0-9._*+!:,~/-]*'|\"[A-Za-z0-9._*+!:,~/-]*\"))[ \t]*"
)
CREDENTIALS = re.compile(r"//[^/\s@]*@")

BY_NAME = "write it as `name==version`"
AN_INDEX = "give one http or https address: `--index-url https://pypi.org/simple`"
A_WHEEL = "write `name @ https://host/name-1.0-py3-none-any.whl`, or put the package on an index"


class Requirements(msgspec.Struct, frozen=True):
    lines: tuple[str, ...]  # as pip gets them, in the order in which they were written

    def digest(self, python: str, platform: str) -> str:
        """Names the bundle: the same for the same lines in any order, other for another interpreter."""
        text = "\n".join([python, platform, *sorted(dict.fromkeys(self.lines))])
        return hashlib.sha256(text.encode()).hexdigest()[:40]


class _Refused(Exception):
    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.hint = hint


class _Written(NamedTuple):
    """Lines that a backslash joins are one."""

    number: int  # of the first, counted from 1
    text: str


def parse(text: str, *, allow_source_builds: bool) -> Requirements | None:
    """None when nothing is required.

    What would run code on the server, or read its files, is refused: local paths, other requirement files, and,
    unless building is allowed, addresses of anything but a wheel.

    Raises:
        BadRequest: names the line.
    """
    lines: list[str] = []
    for written in _joined(text):
        stripped = COMMENT.sub("", written.text).strip()
        if not stripped:
            continue
        if len(lines) == MOST_LINES:
            raise BadRequest(f"requirements.txt has more than {MOST_LINES} lines", "list what the function imports")
        try:
            _expect_plain(written.text, stripped)
            lines.append(_understood(stripped, allow_source_builds=allow_source_builds))
        except _Refused as refused:
            shown = masked(stripped[:200])
            what = f"requirements.txt, line {written.number}: {shown!r}: {refused}"
            raise BadRequest(what, refused.hint) from None
    return Requirements(tuple(lines)) if any(not line.startswith("-") for line in lines) else None


def masked(text: str) -> str:
    """Without user and password of addresses."""
    return CREDENTIALS.sub("//****@", text)


def _joined(text: str) -> Iterator[_Written]:
    """As pip joins them: a comment goes to the end of its line, whatever that ends in."""
    begun, parts = 0, list[str]()
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        begun = begun if parts else number
        is_comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not is_comment:
            parts.append(line.rstrip("\\"))
            continue
        yield _Written(begun, "".join([*parts, " " * is_comment, line]))
        parts.clear()
    if parts:
        yield _Written(begun, "".join(parts))


def _expect_plain(written: str, stripped: str) -> None:
    """Signs at which others end a line are refused in comments too: what stands behind them might be meant."""
    if any(ord(sign) < 32 and sign != "\t" for sign in written) or set(written) & set("\x7f\x85\u2028\u2029"):
        raise _Refused("there is a control character in it", "end lines with a line feed, and separate with blanks")
    if "\\" in stripped or "${" in stripped:
        raise _Refused("variables and backslashes are not taken", "write out what is meant")
    if not stripped.isascii():
        raise _Refused("names, versions and addresses are ASCII", BY_NAME)


def _understood(line: str, *, allow_source_builds: bool) -> str:
    """As it is written anew."""
    hashes: list[str] = []
    if len(line) <= MOST_WITH_HASHES:
        while (found := HASH.fullmatch(line, at := max(line.rfind(" --hash"), line.rfind("\t--hash")) + 1)) and at:
            hashes.append(f" --hash={found[1]}")
            line = line[:at].rstrip()
    if len(line) > MOST_SIGNS:
        raise _Refused(f"it has more than {MOST_SIGNS} characters", BY_NAME)
    if line.startswith("-"):
        if hashes:
            raise _Refused("a hash belongs to a package", BY_NAME)
        return _option(line)
    package = PACKAGE.fullmatch(line)
    if package is None:
        raise _Refused("this is not the name of a package", BY_NAME)
    if re.search(r"[ \t]-", line):
        raise _Refused("options after a package are not taken, except --hash", "give options a line of their own")
    extras = ",".join(one.strip() for one in (package["extras"] or "").split(",") if one.strip())
    head = package["name"] + (f"[{extras}]" if extras else "")
    rest = package["rest"].strip()
    if rest.startswith("@"):
        tail = _address(rest[1:].strip(), allow_source_builds=allow_source_builds)
    else:
        versions, semicolon, marker = rest.partition(";")
        tail = _versions(versions.strip(), line)
        if (package["name"] + tail).lower().endswith(ARCHIVES):
            raise _Refused("pip takes this for a file of the server", BY_NAME)
        tail += _marker(marker) if semicolon else ""
    return head + tail + "".join(reversed(hashes))


def _option(line: str) -> str:
    """pip reads every option that it finds in a line, and any beginning of its name: so there is one, in full."""
    option, _, value = re.sub(r"[ \t=]", " ", line, count=1).partition(" ")
    value = value.strip()
    if option in FLAGS:
        if value:
            raise _Refused(f"the option {option} stands alone in its line", f"give {option} a line of its own")
        return option
    if option not in OPTIONS:
        known = ", ".join([*OPTIONS, *FLAGS])
        raise _Refused(f"the option {option} is not taken", f"list packages by name; options that are taken: {known}")
    if not value or re.search(r"\s", value):
        raise _Refused(f"the option {option} stands alone in its line, with one value", AN_INDEX)
    if INDEX.fullmatch(value) is None:
        raise _Refused(f"the value of {option} is no http or https address", AN_INDEX)
    return f"{OPTIONS[option]} {value}"


def _versions(text: str, line: str) -> str:
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip()
    if not text:
        return ""
    found = [VERSION.fullmatch(one) for one in text.split(",")]
    if not all(found):
        reason = "a local path or address cannot be installed" if "/" in line else "this is not a version"
        raise _Refused(reason, A_WHEEL if "/" in line else BY_NAME)
    return ",".join(one[1] + one[2] for one in found if one)


def _marker(text: str) -> str:
    words, at = [], 0
    while at < len(text):
        found = MARKER.match(text, at)
        if found is None:
            break
        words.append(" ".join(found[0].split()))
        at = found.end()
    if not words or text[at:].strip():
        raise _Refused("what follows the semicolon is not a marker", "write it as `name; python_version < '3.12'`")
    return f" ; {' '.join(words)}"


def _address(text: str, *, allow_source_builds: bool) -> str:
    found = ADDRESS.fullmatch(text)
    if found is None:
        raise _Refused("this is not an address, or what follows it is not a marker", A_WHEEL)
    address = found["address"]
    if not address.startswith(("https://", "git+https://")):
        raise _Refused("only https addresses are taken", A_WHEEL)
    name = unquote(re.split(r"[?#]", address)[0]).rpartition("/")[2]
    is_wheel = WHEEL.fullmatch(name) is not None and not address.startswith("git+")
    if not is_wheel and not allow_source_builds:
        raise _Refused("this address is not a wheel, and would have to be built (--allow-source-builds)", A_WHEEL)
    return f" @ {address}" + ("" if found["marker"] is None else _marker(found["marker"]))
