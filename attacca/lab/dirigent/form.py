"""Dirigent's form of a function (its registration API, commit 49ab5c6), as settings of ours."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

import msgspec

from attacca.errors import BadRequest
from attacca.model.function import Scheduling

UNBOUNDED = 2**31 - 1  # what Dirigent takes for no upper bound
LEAST_MB = 64  # a sandbox of ours holds an interpreter, however little is asked for
FIELDS_MOST, VALUE_MOST = 64, 4096
PROTOCOLS = ("tcp", "udp")
HINT = "name, image, port_forwarding (a port, then tcp or udp); see docs/cluster.md"
Form = Mapping[str, Sequence[str]]


class Asked(msgspec.Struct, frozen=True):
    """A function as it is registered: its name, the image that it asks for, and settings of ours."""

    name: str
    image: str
    flags: dict[str, Any]
    env: dict[str, str]
    scheduling: Scheduling


def read(body: bytes) -> Form:
    """
    Raises:
        BadRequest: it is no form.
    """
    try:
        form = parse_qs(body.decode("utf-8"), keep_blank_values=True, max_num_fields=FIELDS_MOST)
    except ValueError as error:
        raise BadRequest(f"this is no form: {error}", HINT) from None
    for name, values in form.items():
        if any(len(value) > VALUE_MOST for value in values):
            raise BadRequest(f"{name[:40]} is longer than {VALUE_MOST} characters", HINT)
    return form


def registered(form: Form, scheduling: Scheduling) -> Asked:
    """What is to be deployed. A port is checked and not used; how and where an image is pulled is not.

    Raises:
        BadRequest: a field is missing, or is not what it has to be.
    """
    name, image = _text(form, "name"), _text(form, "image")
    if not name or not image:
        raise BadRequest(f"{'image' if name else 'name'} is missing", HINT)
    ports = form.get("port_forwarding", ())
    if len(ports) != 2 or not ports[0].isdigit() or ports[1] not in PROTOCOLS:
        raise BadRequest("port_forwarding is to be a port and a protocol", HINT)
    lower, upper = _number(form, "scaling_lower_bound", 0), _number(form, "scaling_upper_bound", UNBOUNDED)
    flags: dict[str, Any] = {
        "name": name,
        "memory_mb": max(_number(form, "requested_memory", 1), LEAST_MB),
        "min_sandboxes": lower,
        "queue": 10_000,
    }
    if upper < UNBOUNDED:
        if upper < max(lower, 1):
            raise BadRequest(f"scaling_upper_bound ({upper}) is less than scaling_lower_bound ({lower}) or one", HINT)
        flags["max_sandboxes"] = upper
    variables = [value for value in form.get("env_vars", ()) if value]
    if any("=" not in value for value in variables):
        raise BadRequest("each of env_vars is to be NAME=VALUE", HINT)
    return Asked(name, image, flags, dict(value.split("=", 1) for value in variables), scheduling)


def rescaled(form: Form) -> tuple[str, dict[str, int]]:
    """Of `/patch`: the function, and its bounds.

    Raises:
        BadRequest: it names none, or something that cannot be set here.
    """
    function = _text(form, "function")
    others = sorted(set(form) - {"function", "scaling_lower_bound", "scaling_upper_bound"})
    if not function or others:
        why = f"{', '.join(others)[:80]} cannot be set here" if function else "function is missing"
        raise BadRequest(why, "scaling_lower_bound and scaling_upper_bound can; attacca scale sets the others")
    bounds = {}
    if "scaling_lower_bound" in form:
        bounds["min_sandboxes"] = _number(form, "scaling_lower_bound", 0)
    if "scaling_upper_bound" in form:
        bounds["max_sandboxes"] = _number(form, "scaling_upper_bound", UNBOUNDED)
    return function, bounds


def _text(form: Form, name: str) -> str:
    return next(iter(form.get(name, ())), "")


def _number(form: Form, name: str, default: int) -> int:
    text = _text(form, name)
    if not text:
        return default
    if not text.isdigit() or len(text) > 10:
        raise BadRequest(f"{name} is to be a whole number", HINT)
    return int(text)
