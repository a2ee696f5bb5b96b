"""The inputs of a pure function that has several, each by its name: of a form's fields and files, or a JSON object."""

import json
import re

MOST = 16  # inputs
FORM, JSON = "multipart/form-data", "application/json"
BOUNDARY = re.compile(r';\s*boundary="?([^";,\s]{1,200})"?')
NAME = re.compile(rb'^content-disposition:\s*form-data;(?:.*;)?\s*name="([^"\r\n]*)"', re.IGNORECASE | re.MULTILINE)


class Wrong(ValueError):
    """What was sent is not what the function takes."""


def inputs(names: list[str], kind: str, body: bytes) -> list[bytes]:
    """As many as `names`, in their order. `kind` is the body's type.

    Raises:
        Wrong: one is missing, or none of its.
    """
    what = kind.partition(";")[0].strip().lower()
    if what == FORM:
        given = _form(kind, body)
    elif what == JSON:
        given = _object(body)
    else:
        raise Wrong(f"it takes {', '.join(names)}, each by its name: send a form ({FORM}), or a JSON object")
    missing = [name for name in names if name not in given]
    strange = [name for name in given if name not in names]
    if missing or strange:
        said = [f"{one[0][:60]!r} is {how}" for one, how in ((missing, "missing"), (strange, "none of them")) if one]
        raise Wrong(f"it takes {', '.join(names)}: {', '.join(said)}")
    return [given[name] for name in names]


def _form(kind: str, body: bytes) -> dict[str, bytes]:
    """RFC 7578."""
    found = BOUNDARY.search(kind)
    if found is None:
        raise Wrong(f"{FORM} has no boundary")
    mark = b"\r\n--" + found[1].encode("latin-1", "replace")
    _, *parts = (b"\r\n" + body).split(mark)
    if not parts or not parts[-1].startswith(b"--"):
        raise Wrong("the form has no end")
    given: dict[str, bytes] = {}
    for part in parts[:-1]:
        head, gap, data = part.partition(b"\r\n\r\n")
        name = NAME.search(head)
        if not gap or name is None:
            raise Wrong("a part of the form has no name")
        _put(given, name[1].decode("utf-8", "replace"), data)
    return given


def _object(body: bytes) -> dict[str, bytes]:
    """A text is its letters, and everything else JSON."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Wrong(f"the body is no JSON: {str(error)[:100]}") from None
    if not isinstance(told, dict):
        raise Wrong("the body is no object of JSON")
    return {name: one.encode() if isinstance(one, str) else json.dumps(one).encode() for name, one in told.items()}


def _put(given: dict[str, bytes], name: str, data: bytes) -> None:
    if name in given:
        raise Wrong(f"{name[:60]!r} was sent twice")
    given[name] = data
