"""Poetry's own way to write what is required, `^1.2` and `~1.2`, as everyone else writes it."""

import re
from collections.abc import Mapping

CARET = re.compile(r"\^[ ]*(\d+(?:\.\d+){0,3})")
TILDE = re.compile(r"~[ ]*(\d+(?:\.\d+){0,3})")
BARE = re.compile(r"=?[ ]*(\d+(?:\.\d+)*(?:\.\*)?(?:(?:a|b|rc|\.post|\.dev)\d+)?)")
COMPARED = re.compile(r"(?:===|[<>!~=]=|[<>])[ ]*[A-Za-z0-9.*+!_-]+")
TABLE = ("version", "extras", "optional", "markers", "python")
MOST_SIGNS = 200


class Unknown(Exception):
    """It has no other spelling. Args: why."""


def requirement(name: str, asked: object) -> str | None:
    """One entry of `tool.poetry.dependencies` as a line of requirements; None for what only an extra brings.

    Raises:
        Unknown: it comes from somewhere else than an index, or says what nobody else does.
    """
    if not isinstance(asked, Mapping):
        return name + versions(asked)
    strange = [key for key in asked if key not in TABLE]
    if strange:
        raise Unknown(f"{strange[0][:40]!r} is not taken")
    if asked.get("optional") is True:
        return None
    extras = asked.get("extras", [])
    if not isinstance(extras, list) or not all(isinstance(extra, str) for extra in extras):
        raise Unknown("its extras are no list of names")
    markers = [_python(versions(asked["python"]))] if "python" in asked else []
    if "markers" in asked:
        markers.append(f"({asked['markers']})" if markers else str(asked["markers"]))
    head = name + (f"[{','.join(extras)}]" if extras else "") + versions(asked.get("version", "*"))
    return head + (f" ; {' and '.join(one for one in markers if one)}" if any(markers) else "")


def versions(asked: object) -> str:
    """
    Raises:
        Unknown: as above.
    """
    if not isinstance(asked, str) or len(asked) > MOST_SIGNS:
        raise Unknown("its version is no short text")
    if asked.strip() in ("", "*"):
        return ""
    return ",".join(_version(part.strip()) for part in asked.split(","))


def _version(part: str) -> str:
    if found := CARET.fullmatch(part):
        numbers = found[1].split(".")
        at = next((at for at, number in enumerate(numbers) if int(number)), len(numbers) - 1)
        return f">={found[1]},<{_next(numbers[: at + 1])}"
    if found := TILDE.fullmatch(part):
        return f">={found[1]},<{_next(found[1].split('.')[:2])}"
    if found := BARE.fullmatch(part):
        return f"=={found[1]}"
    if COMPARED.fullmatch(part):
        return part
    raise Unknown(f"{part[:40]!r} is not a version")


def _next(numbers: list[str]) -> str:
    return ".".join([*numbers[:-1], str(int(numbers[-1]) + 1)])


def _python(bounds: str) -> str:
    """As a marker. Python's own versions have no two figures less than they need."""
    found = [re.fullmatch(r"(\D+)(.*)", bound) for bound in bounds.split(",") if bound]
    return " and ".join(f"python_full_version {one[1].strip()} '{one[2].strip()}'" for one in found if one)
