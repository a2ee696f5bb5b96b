"""One line of requirements: packages by name, wheels by https address, where to look for them, and other files.

pip never sees what was written, only what was understood of it, written anew: so nothing depends on how pip splits
lines, expands variables, shortens options or guesses at encodings.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote

from packaging.markers import InvalidMarker, Marker
from packaging.specifiers import InvalidSpecifier, Specifier

MOST_SIGNS, MOST_WITH_HASHES = 2000, 65_536  # of one line
OPTIONS = {"-i": "--index-url", "--index-url": "--index-url", "--extra-index-url": "--extra-index-url"}
FLAGS = ("--pre", "--prefer-binary", "--require-hashes")
FILES = {"-r": False, "--requirement": False, "-c": True, "--constraint": True}  # True: of constraints
ONLY_BINARY = "--only-binary"
ARCHIVES = (".zip", ".whl", ".tar", ".gz", ".tgz", ".bz2", ".tbz", ".xz", ".txz", ".lz", ".tlz", ".lzma")
COMMENT = re.compile(r"(?:^|\s)#.*")
HASH = re.compile(r"--hash[= ](sha(?:256|384|512):[0-9a-f]+)")
PACKAGE = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)[ \t]*"
    r"(?:\[(?P<extras>[A-Za-z0-9._, \t-]*)\])?[ \t]*(?P<rest>.*)"
)
VERSIONS = re.compile(r"[A-Za-z0-9.*+!_<>=~, \t-]*")
INDEX = re.compile(r"https?://[A-Za-z0-9._~:/?&=%@!*+,;\[\]-]+")
ADDRESS = re.compile(r"(?P<address>[A-Za-z0-9._~:/?#&=%@!*+,\[\]-]+)(?:[ \t]+;(?P<marker>.*))?")
WHEEL = re.compile(r"[\w.!+]+(-[\w.!+]+){4,5}\.whl", re.ASCII)
MARKER = re.compile(
    r"[ \t]*(?:(?P<variable>python_version|python_full_version|os_name|sys_platform|platform_(?:release|system|version|"
    r"machine|python_implementation)|implementation_(?:name|version)|extra)\b|(?P<word>not[ \t]+in|in|and|or)\b|"
    r"(?P<sign>===|[<>!~=]=|[<>()])|(?P<text>'[A-Za-z0-9._*+!:,~/-]*'|\"[A-Za-z0-9._*+!:,~/-]*\"))[ \t]*"
)
CONDA = re.compile(r"=[ \t]*[A-Za-z0-9.*+!_]+(?:=[A-Za-z0-9._]+)?")
OWN = re.compile(r"(?:(?:-e|--editable)[ \t=][ \t]*)?(?:file:)?\./?")
BARE = re.compile(r"(?:(?:-e|--editable)[ \t=][ \t]*(?=git\+))?((?:git\+)?https://)")
EGG = re.compile(r"[#&]egg=([A-Za-z0-9._-]+(?:\[[A-Za-z0-9._,-]*\])?)(?:&|(?=[ \t;]|\Z))")
DEBIAN = re.compile(r"pkg[-_]resources==0\.0\.0")
SHORT = re.compile(r"\A(-[rc])([^ \t=-])")  # pip takes the value without a blank too
PATH = re.compile(r"[^\"'#%?*:;<>|]+|[a-z]+://[^ \t]*")
NAMES = re.compile(r":all:|[A-Za-z0-9._-]+(?:,[A-Za-z0-9._-]+)*")
CREDENTIALS = re.compile(r"//[^/\s@]*@")

BY_NAME = "write it as `name==version`"
AN_INDEX = "give one http or https address: `--index-url https://pypi.org/simple`"
BY_LIST = f"{BY_NAME}: `pip list --format=freeze` lists all of them so"
A_FILE = "name a file inside the function: `-r requirements/base.txt`"
A_WHEEL = "write `name @ https://host/name-1.0-py3-none-any.whl`, or put the package on an index"
IN_PLACE = "what lies in the function is imported as it is; name the packages that it needs, and leave this line out"
REFUSED = {
    "-e": ("nothing is installed in place", IN_PLACE),
    "--editable": ("nothing is installed in place", IN_PLACE),
    "-f": ("packages come from an index", "name the index, or write `name @ https://host/name-1.0-py3-none-any.whl`"),
    "--trusted-host": (
        "certificates are always checked",
        "leave it out; SSL_CERT_FILE of the server names an authority of one's own",
    ),
    "--no-binary": ("only wheels are installed", "leave it out; --allow-source-builds builds what has no wheel"),
    "--no-index": ("packages come from an index", "leave it out; the server's own PIP_NO_INDEX holds for all"),
}
REFUSED["--find-links"] = REFUSED["-f"]


class Unclear(Exception):
    """A line that is not taken."""

    def __init__(self, reason: str, hint: str) -> None:
        super().__init__(reason)
        self.hint = hint


class Written(NamedTuple):
    """Lines that a backslash joins are one."""

    number: int  # of the first, counted from 1
    text: str


class Package(NamedTuple):
    name: str
    extras: str
    rest: str  # versions or address, marker
    hashes: str

    def written(self) -> str:
        return self.name + (f"[{self.extras}]" if self.extras else "") + self.rest + self.hashes

    def as_constraint(self) -> str:
        """pip wants none with extras."""
        return self.name + self.rest + self.hashes


class Option(NamedTuple):
    """Without a text: what it asks for is done anyway."""

    text: str


class Include(NamedTuple):
    """Another file, by its path from where this one lies."""

    path: str
    is_constraint: bool


class Skipped(NamedTuple):
    why: str


class Own(NamedTuple):
    """The project whose directory this is: its code is there, and what it needs is said elsewhere."""


Line = Package | Option | Include | Skipped | Own


def masked(text: str) -> str:
    """Without user and password of addresses."""
    return CREDENTIALS.sub("//****@", text)


def joined(text: str) -> Iterator[Written]:
    """As pip joins them: a comment goes to the end of its line, whatever that ends in."""
    begun, parts = 0, list[str]()
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        begun = begun if parts else number
        is_comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not is_comment:
            parts.append(line.rstrip("\\"))
            continue
        yield Written(begun, "".join([*parts, " " * is_comment, line]))
        parts.clear()
    if parts:
        yield Written(begun, "".join(parts))


def expect_plain(written: str, stripped: str) -> None:
    """Signs at which others end a line are refused in comments too: what stands behind them might be meant."""
    if any(ord(sign) < 32 and sign != "\t" for sign in written) or set(written) & set("\x7f\x85\u2028\u2029"):
        raise Unclear("there is a control character in it", "end lines with a line feed, and separate with blanks")
    if "\\" in stripped or "${" in stripped:
        raise Unclear("variables and backslashes are not taken", "write out what is meant")
    if not stripped.isascii():
        raise Unclear("names, versions and addresses are ASCII", BY_NAME)


def understood(line: str, *, allow_source_builds: bool) -> Line:
    """
    Raises:
        Unclear: it is not taken.
    """
    hashes: list[str] = []
    if len(line) <= MOST_WITH_HASHES:
        while (found := HASH.fullmatch(line, at := max(line.rfind(" --hash"), line.rfind("\t--hash")) + 1)) and at:
            hashes.append(f" --hash={found[1]}")
            line = line[:at].rstrip()
    if len(line) > MOST_SIGNS:
        raise Unclear(f"it has more than {MOST_SIGNS} characters", BY_NAME)
    if OWN.fullmatch(line):
        return Own()
    line = _named(line)
    if line.startswith("-"):
        if hashes:
            raise Unclear("a hash belongs to a package", BY_NAME)
        return _option(line, allow_source_builds=allow_source_builds)
    if DEBIAN.fullmatch(line):
        return Skipped("no package of that name can be installed: Debian's pip lists it by mistake")
    return _package(line, "".join(reversed(hashes)), allow_source_builds=allow_source_builds)


def _named(line: str) -> str:
    """`name @ address` of an address that says the name itself, by `#egg=` or as that of a wheel."""
    found = BARE.match(line)
    if found is None:
        return line
    address = line[found.start(1) :]
    egg = EGG.search(address)
    wheel = unquote(re.split(r"[?#;\s]", address)[0]).rpartition("/")[2]
    if egg is None and WHEEL.fullmatch(wheel) is None:
        raise Unclear("an address needs the name of its package", "write `name @ https://...`")
    name = wheel.partition("-")[0] if egg is None else egg[1]
    return f"{name} @ {EGG.sub(_without_egg, address, count=1)}"


def _without_egg(found: re.Match[str]) -> str:
    return "#" if found[0].startswith("#") and found[0].endswith("&") else ""


def _package(line: str, hashes: str, *, allow_source_builds: bool) -> Package:
    package = PACKAGE.fullmatch(line)
    if package is None:
        raise Unclear("this is not the name of a package", _instead(line))
    if re.search(r"[ \t]-", line):
        raise Unclear("options after a package are not taken, except --hash", "give options a line of their own")
    extras = ",".join(one.strip() for one in (package["extras"] or "").split(",") if one.strip())
    rest = package["rest"].strip()
    if rest.startswith("@"):
        tail = _address(rest[1:].strip(), allow_source_builds=allow_source_builds)
    else:
        versions, semicolon, marker = rest.partition(";")
        tail = _versions(versions.strip(), line)
        if (package["name"] + tail).lower().endswith(ARCHIVES):
            raise Unclear("pip takes this for a file of the server", BY_NAME)
        tail += _marker(marker) if semicolon else ""
    return Package(package["name"], extras, tail, hashes)


def _instead(line: str) -> str:
    """What to write where a path stands."""
    if line.startswith((".", "/", "~")):
        return "what lies in the function is imported as it is; name what it needs, and leave this line out"
    return BY_NAME


def _option(line: str, *, allow_source_builds: bool) -> Option | Include | Skipped:
    """pip reads every option that it finds in a line, and any beginning of its name: so there is one, in full."""
    option, _, value = re.sub(r"[ \t=]", " ", SHORT.sub(r"\1 \2", line), count=1).partition(" ")
    value = value.strip()
    if option in FLAGS:
        if value:
            raise Unclear(f"the option {option} stands alone in its line", f"give {option} a line of its own")
        return Option(option)
    if option in FILES:
        return Include(_path(option, value), FILES[option])
    if option == ONLY_BINARY:
        if NAMES.fullmatch(value) is None:
            raise Unclear(f"the option {option} has no names of packages", f"write it as `{option} :all:`")
        return Option(f"{option} {value}" if allow_source_builds else "")
    if option not in OPTIONS:
        known = ", ".join([*OPTIONS, *FLAGS, *FILES, ONLY_BINARY])
        why, hint = REFUSED.get(option, ("", f"list packages by name; options that are taken: {known}"))
        raise Unclear(f"the option {option} is not taken" + (f": {why}" if why else ""), hint)
    if not value or re.search(r"\s", value):
        raise Unclear(f"the option {option} stands alone in its line, with one value", AN_INDEX)
    if INDEX.fullmatch(value) is None:
        raise Unclear(f"the value of {option} is no http or https address", AN_INDEX)
    return Option(f"{OPTIONS[option]} {value}")


def _path(option: str, value: str) -> str:
    if value[:1] in ("'", '"') and value[:1] == value[-1:]:
        value = value[1:-1]
    if PATH.fullmatch(value) is None or value.startswith("-") or re.search(r"[ \t]-", value):
        raise Unclear(f"the option {option} stands alone in its line, with the name of one file", A_FILE)
    if "://" in value:
        raise Unclear("files of requirements are not fetched", A_FILE)
    return value


def _versions(text: str, line: str) -> str:
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1].strip()
    if not text:
        return ""
    try:
        if VERSIONS.fullmatch(text):
            return ",".join(str(Specifier(version)) for version in text.rstrip(", \t").split(","))
    except InvalidSpecifier:
        pass
    if CONDA.fullmatch(text):
        raise Unclear("this is how conda writes versions", f"{BY_NAME}, as `pip list --format=freeze` does")
    reason = "a local path or address cannot be installed" if "/" in line else "this is not a version"
    raise Unclear(reason, A_WHEEL if "/" in line else BY_NAME)


def _marker(text: str) -> str:
    words, at = [], 0
    while at < len(text):
        found = MARKER.match(text, at)
        if found is None:
            break
        words.append(" ".join(found[0].split()))
        at = found.end()
    marker = " ".join(words)
    if text[at:].strip() or not _is_marker(marker):
        raise Unclear("what follows the semicolon is not a marker", "write it as `name; python_version < '3.12'`")
    return f" ; {marker}"


def _is_marker(text: str) -> bool:
    """Whether words that may stand in a marker are one."""
    try:
        Marker(text)
    except (InvalidMarker, RecursionError):
        return False
    return True


def _address(text: str, *, allow_source_builds: bool) -> str:
    found = ADDRESS.fullmatch(text)
    if found is None:
        raise Unclear("this is not an address, or what follows it is not a marker", A_WHEEL)
    address = found["address"]
    if address.startswith("file:"):
        raise Unclear("only https addresses are taken, and this is a file of the machine where pip listed it", BY_LIST)
    if not address.startswith(("https://", "git+https://")):
        raise Unclear("only https addresses are taken", A_WHEEL)
    name = unquote(re.split(r"[?#]", address)[0]).rpartition("/")[2]
    is_wheel = WHEEL.fullmatch(name) is not None and not address.startswith("git+")
    if not is_wheel and not allow_source_builds:
        raise Unclear("this address is not a wheel, and would have to be built (--allow-source-builds)", A_WHEEL)
    return f" @ {address}" + ("" if found["marker"] is None else _marker(found["marker"]))
