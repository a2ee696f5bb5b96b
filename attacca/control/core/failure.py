"""What became of a build that failed, said so that one can do something about it."""

import re
from collections.abc import Sequence

LAST_LINES = 15  # of the installer, in an error
NO_WHEEL = ("no matching distribution", "could not find a version", "no usable wheels", "no wheels with a matching",
            "no solution found")  # fmt: skip
UNREACHED = ("connection", "name resolution", "timed out", "dns error", "failed to fetch", "error sending request")
PACKAGE = r"['`]?([A-Za-z0-9][A-Za-z0-9._-]*(?:\[[^\]]*\])?(?:[<>=!~]=?=?[A-Za-z0-9.*+!_-]+)?)"
NAMED = (  # in the words of pip, and of uv
    re.compile(rf"No matching distribution found for {PACKAGE}"),
    re.compile(rf"(?:Because|because|and) {PACKAGE} has no (?:usable wheels|wheels with a matching)"),
)
BUILT = (
    re.compile(rf"Failed to build installable wheels for some pyproject\.toml based projects \(?{PACKAGE}"),
    re.compile(rf"Failed building wheel for {PACKAGE}"),
    re.compile(rf"Failed to build {PACKAGE}"),
)
COMPILERS = re.compile(
    r"(?:error: command '(?P<command>[^']+)' failed: No such file|"
    r"unable to execute '(?P<unable>[^']+)'|"
    r"(?P<quoted>[\w.+/-]{1,80}): (?:command )?not found|"
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
        if from_source:
            return "", "check name and version"
        what = f"{package} has no wheel for {here}, or does not exist" if package else ""
        return what, (
            "check name and version, or choose a version that has a wheel; what has none can be built where the server "
            "allows it: --allow-source-builds"
        )
    return "", "correct what is required, and deploy again"


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
