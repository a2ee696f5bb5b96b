"""Which lines of a requirements.txt are taken: packages by name, and wheels by https address."""

import hashlib
import re
from urllib.parse import unquote

import msgspec

from attacca.errors import BadRequest

NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
PACKAGE = re.compile(rf"({NAME})\s*(\[[A-Za-z0-9._,\s-]*\])?\s*(?P<rest>.*)")
VERSIONS = re.compile(r"\(?[<>=!~][A-Za-z0-9.*+!_<>=~,\s-]*\)?")
COMMENT = re.compile(r"(^|\s)#.*$")
OPTIONS = ("--index-url", "-i", "--extra-index-url")  # with one value
FLAGS = ("--pre", "--prefer-binary")
ADDRESS = re.compile(r"([!-~]+)([ \t]+;.*)?")  # pip ends it at a blank, and at nothing else
WHEEL = re.compile(r"[\w.!+]+(-[\w.!+]+){4,5}\.whl", re.ASCII)
MOST_LINES = 2000


class Requirements(msgspec.Struct, frozen=True):
    lines: tuple[str, ...]  # as pip gets them, in the order in which they were written

    def digest(self, python: str, platform: str) -> str:
        """Names the bundle: the same for the same lines in any order, other for another interpreter."""
        text = "\n".join([python, platform, *sorted(dict.fromkeys(self.lines))])
        return hashlib.sha256(text.encode()).hexdigest()[:40]


def parse(text: str, *, allow_source_builds: bool) -> Requirements | None:
    """None when nothing is required.

    What would run code on the server, or read its files, is refused: local paths, other requirement files, and,
    unless building is allowed, addresses of anything but a wheel.

    Raises:
        BadRequest: names the line.
    """
    joined = re.sub(r"\\\r?\n", " ", text)
    stripped = [COMMENT.sub("", line).strip() for line in joined.splitlines()]
    lines = tuple(line for line in stripped if line)
    if len(lines) > MOST_LINES:
        raise BadRequest(f"requirements.txt has more than {MOST_LINES} lines", "list what the function imports")
    for line in lines:
        reason = _refusal(line, allow_source_builds=allow_source_builds)
        if reason:
            raise BadRequest(f"requirements.txt: {line[:200]!r}: {reason}", "write it as `name==version`")
    return Requirements(lines) if any(not line.startswith("-") for line in lines) else None


def _refusal(line: str, *, allow_source_builds: bool) -> str:
    if "${" in line or "\\" in line or any(ord(char) < 32 and char != "\t" for char in line):
        return "variables, backslashes and control characters are not taken"
    if line.startswith("-"):
        return _option_refusal(line)
    found = PACKAGE.fullmatch(re.sub(r"\s--hash=sha(256|384|512):[0-9a-f]+", "", line))
    if found is None:
        return "this is not the name of a package"
    requirement, _, _marker = found["rest"].partition(";")
    requirement = requirement.strip()
    if " --" in line.replace(" --hash=", ""):
        return "options after a package are not taken, except --hash"
    if requirement.startswith("@"):
        return _address_refusal(found["rest"][1:].strip(), allow_source_builds=allow_source_builds)
    if requirement and VERSIONS.fullmatch(requirement) is None:
        return "a local path or address cannot be installed" if "/" in line else "this is not a version"
    return ""


def _option_refusal(line: str) -> str:
    """pip reads every option that it finds in a line, so there may be only one."""
    option, _, given = re.sub(r"[\s=]", " ", line, count=1).partition(" ")
    values = given.split()
    if option not in (*OPTIONS, *FLAGS):
        return f"the option {option} is not taken"
    if len(values) != (option in OPTIONS) or any(value.startswith("-") for value in values):
        return f"the option {option} stands alone in its line" + ", with one value" * (option in OPTIONS)
    return ""


def _address_refusal(rest: str, *, allow_source_builds: bool) -> str:
    found = ADDRESS.fullmatch(rest)
    if found is None:
        return "this is not an address, or what follows it is not a marker"
    address = found[1]
    if not address.startswith(("https://", "git+https://")):
        return "only https addresses are taken"
    name = unquote(re.split(r"[?#]", address)[0]).rpartition("/")[2]
    if WHEEL.fullmatch(name) and not address.startswith("git+"):
        return ""
    return (
        "" if allow_source_builds else "this address is not a wheel, and would have to be built (--allow-source-builds)"
    )
