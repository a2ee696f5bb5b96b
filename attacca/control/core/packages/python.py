"""Whether a Python is one of those that `requires-python` asks for."""

import re

VERSION = re.compile(r"(\d+(?:\.\d+)*)(?:\.\*)?")
PART = re.compile(r"[ \t]*(===|[<>!~=]=|[<>])[ \t]*([0-9.]+(?:\.\*|(?:a|b|rc)\d+)?)[ \t]*")
MOST_SIGNS = 200


def holds(required: str, python: str) -> bool | None:
    """None where it cannot be told. Of what precedes a release (`3.13rc1`) only the release counts."""
    if len(required) > MOST_SIGNS or not required.isascii():
        return None
    here = numbers(python)
    answers = [_one_holds(part, here) for part in required.rstrip(", \t").split(",")]
    if None in answers:
        return None
    return all(answers)


def numbers(version: str) -> tuple[int, ...]:
    found = VERSION.match(version)
    return tuple(int(part[:9]) for part in found[1].split(".")) if found else ()


def _one_holds(part: str, here: tuple[int, ...]) -> bool | None:
    found = PART.fullmatch(part)
    if found is None or not numbers(found[2]) or len(numbers(found[2])) > 5:
        return None
    sign, asked = found[1], numbers(found[2])
    is_prefix = found[2].endswith(".*")
    if sign == "~=":
        return here >= asked and here[: len(asked) - 1] == asked[:-1] if len(asked) > 1 else None
    if is_prefix:
        begins = here[: len(asked)] == asked
        return {"==": begins, "!=": not begins}.get(sign)
    size = max(len(here), len(asked))
    mine, other = (one + (0,) * (size - len(one)) for one in (here, asked))
    return {
        "==": mine == other, "===": mine == other, "!=": mine != other, ">=": mine >= other, "<=": mine <= other,
        ">": mine > other, "<": mine < other,
    }[sign]  # fmt: skip
