"""Who installs a bundle, uv or pip, with which words; and what to try where one of them did not succeed."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath

import msgspec

from attacca.control.core.packages.requirements import Requirements

LISTED, BOUNDS = "requirements.txt", "constraints.txt"
PASSED_ON = ("HOME", "PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "NETRC")
PREFIXES = {"pip": ("PIP_", "XDG_"), "uv": ("UV_", "XDG_")}
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
NOT_FOR_UV = (
    "UV_PYTHON",
    "UV_SYSTEM_PYTHON",
    "UV_PROJECT_ENVIRONMENT",
    "UV_CONSTRAINT",
    "UV_OVERRIDE",
    "UV_COMPILE_BYTECODE",
)
AS_UV_HAS_IT = {  # pip's settings
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
}
OF_PIP_ALONE = (
    "disable-pip-version-check", "no-input", "root-user-action", "progress-bar", "retries", "cache-dir", "no-cache-dir",
    "no-color", "quiet", "verbose", "break-system-packages", "require-virtualenv", "no-python-version-warning",
    "no-warn-script-location", "prefer-binary", "config-file", "user",
)  # fmt: skip
SEPARATED = {"UV_FIND_LINKS": ",", "UV_INDEX": " "}


class Installer(msgspec.Struct, frozen=True):
    name: str  # uv or pip
    command: tuple[str, ...]
    environment: Mapping[str, str]


def choose(uv: str | None, python: str, environ: Mapping[str, str], pip_settings: Mapping[str, str]) -> Installer:
    """uv where it is there, unless pip has settings here that uv knows no equal of.

    What is set for uv itself counts before what is set for pip. Nothing else of the server's environment goes along.
    """
    translated = _translated(pip_settings)
    if uv is None or translated is None:
        return Installer("pip", (python, "-I", "-m", "pip", "install"), _environment(environ, "pip"))
    own = {name: value for name, value in _environment(environ, "uv").items() if name not in NOT_FOR_UV}
    fixed = {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
    return Installer("uv", (uv, "pip", "install"), {**translated, **own, **fixed})


def arguments(
    installer: Installer, requirements: Requirements, target: PurePath, python: str, *, from_source: bool
) -> list[str]:
    """The files LISTED, and BOUNDS if there are constraints, lie where it is started."""
    bounds = ["-c", BOUNDS] if requirements.constraints else []
    wheels_only = [] if from_source else ["--only-binary", ":all:"]
    common = [*installer.command, "--target", str(target), "-r", LISTED, *bounds, *wheels_only]
    if installer.name == "pip":
        return [
            *common, "--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--no-compile",
            "--no-warn-script-location", "--no-warn-conflicts", "--root-user-action", "ignore",
        ]  # fmt: skip
    pre = ["--prerelease", "allow"] if "--pre" in requirements.lines else []
    hashed = ["--require-hashes"] if any(map(_wants_hashes, requirements.lines)) else []
    # Where there are several indexes pip takes the best of them all: a bundle is the same by whomever it was made. What
    # lies in a bundle is nobody else's: its modes are settled, which would be those of uv's cache.
    return [
        *common, *pre, *hashed, "--python", python, "--no-config", "--index-strategy", "unsafe-best-match",
        "--link-mode", "copy",
    ]  # fmt: skip


def listed(installer: Installer, requirements: Requirements) -> str:
    """The contents of LISTED. uv has options of its own for what pip reads in there."""
    lines = requirements.lines
    if installer.name == "uv":
        lines = tuple(line for line in lines if line not in ("--pre", "--prefer-binary", "--require-hashes"))
    return "\n".join([*lines, ""])


def pip_settings(environ: Mapping[str, str], files: Sequence[Mapping[str, Mapping[str, str]]]) -> dict[str, str]:
    """As pip finds them: files in order, in them what is said of `install` before what is said in general; then the
    environment."""
    found: dict[str, str] = {}
    for file in files:
        for section in ("global", "install"):
            found |= {key.lower().replace("_", "-"): value for key, value in file.get(section, {}).items()}
    for name, value in environ.items():
        if name.startswith("PIP_") and value:
            found[name.removeprefix("PIP_").lower().replace("_", "-")] = value
    return found


def _translated(settings: Mapping[str, str]) -> dict[str, str] | None:
    """None where uv would install something else."""
    found = {}
    for key, value in settings.items():
        if key in AS_UV_HAS_IT:
            name = AS_UV_HAS_IT[key]
            found[name] = SEPARATED.get(name, " ").join(value.split())
        elif key not in OF_PIP_ALONE:
            return None
    return found


def _environment(environ: Mapping[str, str], installer: str) -> dict[str, str]:
    return {
        name: value
        for name, value in environ.items()
        if name in PASSED_ON or name.startswith(PREFIXES[installer]) or name.lower() in PROXIES
    }


def _wants_hashes(line: str) -> bool:
    return " --hash=" in line or line == "--require-hashes"
