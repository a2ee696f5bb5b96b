"""What became of a build that failed, said so that one can do something about it."""

import re
from collections.abc import Sequence

LAST_LINES = 15  # of the installer, in an error
NO_WHEEL = ("no matching distribution", "could not find a version", "no usable wheels", "no wheels with a matching",
            "no solution found")  # fmt: skip
UNREACHED = ("connection", "name resolution", "timed out", "dns error", "failed to fetch", "error sending request")
PACKAGE = r"['`]?([A-Za-z0-9][A-Za-z0-9._-]*(?:\[[^\]]*\])?(?:,?[<>=!~]=?=?[A-Za-z0-9.*+!_-]+)*)"
NAMED = (  # in the words of pip, and of uv
    re.compile(rf"No matching distribution found for {PACKAGE}"),
    re.compile(rf"(?:Because|because|and) {PACKAGE} has no (?:usable wheels|wheels with a matching)"),
)
OFFERED = re.compile(r"\(from versions: ([^)]+)\)")  # pip's: those that have a wheel
SERVERS = frozenset({"uwsgi", "mod-wsgi", "mod_wsgi", "bjoern", "meinheld"})
IN_PLACE = {
    "psycopg2": "psycopg2-binary",
    "sklearn": "scikit-learn",
    "dotenv": "python-dotenv",
    "bs4": "beautifulsoup4",
}
OF_OTHER_PYTHONS = re.compile(r"Ignored the following versions that require a different python version: (.+)")  # pip's
FOR_PYTHON = re.compile(r"\(([\d.]+\+?)\) does not satisfy Python([<>=!~]\S+) and " + PACKAGE)  # uv's
BUILT = (
    re.compile(rf"Failed to build installable wheels for some pyproject\.toml based projects \(?{PACKAGE}"),
    re.compile(rf"Failed building wheel for {PACKAGE}"),
    re.compile(rf"Failed to build {PACKAGE}"),
)
COMPILERS = re.compile(
    r"(?:error: command '(?P<command>[^']+)' failed: No such file|"
    r"unable to execute '(?P<unable>[^']+)'|"
    r"(?<![\w.+/-])(?P<quoted>[\w.+/-]{1,80}): (?:command )?not found|"
    r"No such file or directory: '(?P<missing>[\w.+-]+)'|"
    r"Unknown compiler\(s\): \[\['(?P<unknown>[\w.+-]+)'|"
    r"(?P<executable>pg_config|mysql_config) executable not found|"
    r"(?P<program>cmake|ninja|cargo|rustc|pkg-config|swig|gfortran)\b[^\n]{0,60}"
    r"(?:not found|is not installed|not on PATH))",
    re.IGNORECASE,
)
HEADER = re.compile(r"fatal error: '?([\w./+-]+\.h(?:pp)?)'?(?:: No such file| file not found)")
RUST = re.compile(r"can't find Rust compiler|requires Rust|Rust toolchain", re.IGNORECASE)
DEBIAN = {"Python.h": "python3-dev", "ffi.h": "libffi-dev", "libpq-fe.h": "libpq-dev", "pg_config": "libpq-dev",
          "mysql_config": "default-libmysqlclient-dev", "gcc": "build-essential", "cc": "build-essential",
          "x86_64-linux-gnu-gcc": "build-essential", "g++": "build-essential", "cargo": "cargo", "rustc": "rustc",
          "libxml/xpath.h": "libxml2-dev libxslt1-dev", "openssl/ssl.h": "libssl-dev", "git": "git"}  # fmt: skip


def hint(said: Sequence[str], installer: str, here: str, *, from_source: bool) -> tuple[str, str]:
    """What is to be said first, if anything, and what to try. `here`: this Python and platform, in words."""
    text = "\n".join(line[:500] for line in said)
    lower, end = text.lower(), "\n".join(said[-LAST_LINES:]).lower()
    if "no module named pip" in lower:
        return "", "install pip where attacca runs: python -m ensurepip"
    if from_source and (missing := _missing(text)):
        package = _first(BUILT, text)
        what = f"{package or 'a package'} has to be compiled, and {missing} is missing on the server"
        debian = f" (on Debian: apt install {DEBIAN[missing]})" if missing in DEBIAN else ""
        return what, f"install it there{debian}, or require a version that has a wheel"
    if any(words in end for words in UNREACHED):
        variable = "UV_DEFAULT_INDEX" if installer == "uv" else "PIP_INDEX_URL"
        return "", f"the server could not reach the package index; check its network, {variable} and proxies"
    if "not found in the package registry" in lower:
        return "", "check the name"
    if any(words in lower for words in NO_WHEEL):
        package = _first(NAMED, text)
        if python := _other_python("\n".join(said), package):
            what = f"{python}, and this server runs functions with {here}"
            return what, "ask for a version that is for this Python, or start attacca with such a Python"
        if from_source:
            return "", "check name and version"
        what = f"{package} has no wheel for {here}, or does not exist" if package else ""
        return what, _other_wheel("\n".join(said), package)
    return "", "correct what is required, and deploy again"


def _other_wheel(text: str, package: str) -> str:
    """What to require instead of what has no wheel."""
    name = re.split(r"[^\w.-]", package.lower())[0]
    if name in SERVERS:
        return "leave it out: an application is served without it"
    if other := IN_PLACE.get(name):
        return f"require {other} in its place, which is the same and has wheels"
    found = OFFERED.search(text)
    newer = [one for one in found[1].split(", ") if _holds(one, ">", package.partition("==")[2])] if found else []
    choose = f"require {name}=={newer[0]}, which has one" if newer else "choose a version that has a wheel"
    return (
        f"check name and version, or {choose}; what has none can be built where the server allows it: "
        "--allow-source-builds"
    )


def _other_python(text: str, package: str) -> str:
    """Which Python it wants, where all the versions that would do are for another."""
    if by_uv := FOR_PYTHON.search(text):
        return f"{by_uv[3].rstrip('.,')} requires Python {by_uv[2].rstrip('.,')}"
    ignored = OF_OTHER_PYTHONS.search(text)
    name, _, _ = re.split(r"([<>=!~\[])", f"{package}=", maxsplit=1)
    conditions = re.findall(r"([<>=!~]=?=?)([^,<>=!~]+)", package)
    for said in ignored[1].split(";") if ignored and conditions else ():
        version, _, python = said.strip().partition(" Requires-Python ")
        if all(_holds(version, operator, bound) for operator, bound in conditions):
            return f"{name} {version} requires Python {python}"
    return ""


def _holds(version: str, operator: str, bound: str) -> bool:
    """As far as numbers say it: pre-releases and locals are taken for none."""
    if not re.fullmatch(r"[\d.]+", version) or not re.fullmatch(r"[\d.]+(\.\*)?", bound):
        return False
    parts = [int(part) for part in bound.removesuffix(".*").split(".") if part]
    numbers = [int(part) for part in version.split(".") if part]
    begins_so = numbers[: len(parts)] == parts
    width = max(len(parts), len(numbers))
    one, other = (each + [0] * (width - len(each)) for each in (numbers, parts))
    is_same = begins_so if bound.endswith(".*") else one == other
    compared = {"<": one < other, ">": one > other, "<=": one <= other, ">=": one >= other, "!=": not is_same}
    if operator == "~=":
        return one >= other and numbers[: len(parts) - 1] == parts[:-1]
    return compared.get(operator, is_same)


def _missing(text: str) -> str:
    """A program or a header."""
    header = HEADER.search(text)
    if header:
        return header[1]
    found = COMPILERS.search(text)
    if found:
        return next(name for name in found.groups() if name).rpartition("/")[2]
    return "cargo" if RUST.search(text) else ""


def _first(patterns: Sequence[re.Pattern[str]], text: str) -> str:
    return next((found[1].rstrip(".,") for pattern in patterns if (found := pattern.search(text))), "")
