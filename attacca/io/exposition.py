"""Pages for Prometheus, in its own text format and in OpenMetrics, which also has exemplars."""

import re
import threading
from collections.abc import Iterable
from enum import Enum
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

OPEN_METRICS: Final = b"application/openmetrics-text"
REFUSED: Final = re.compile(rb"q\s*=\s*0(\.0*)?")  # the weight of what a client does not take
END: Final = b"# EOF\n"  # of a page of OpenMetrics, which must have it, and nothing behind it


class Form(Enum):
    """How a page is written; the value is its content type."""

    TEXT = b"text/plain; version=0.0.4; charset=utf-8"
    OPEN = OPEN_METRICS + b"; version=1.0.0; charset=utf-8"


PAUSE_S: Final = 0.0003
NEVER: Final = threading.Event()


def pause() -> None:
    """Let those go on who wait for the interpreter: they would wait for 5 ms, and a page is written in many pauses."""
    NEVER.wait(PAUSE_S)


def form_of(accept: bytes) -> Form:
    """The one to answer with: OpenMetrics to who takes it."""
    for one in accept.lower().split(b","):
        kind, *parameters = (part.strip() for part in one.split(b";"))
        if kind == OPEN_METRICS and not any(REFUSED.fullmatch(part) for part in parameters):
            return Form.OPEN
    return Form.TEXT


def whole(page: bytes, form: Form) -> bytes:
    return page + END if form is Form.OPEN else page


def written(form: Form, collectors: Iterable[Collector]) -> bytes:
    """Without an end."""
    registry = CollectorRegistry()
    for one in collectors:
        registry.register(one)
    if form is Form.TEXT:
        return generate_latest(registry)
    page: bytes = openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call] # it has no types
    return page.removesuffix(END)


def label(value: str) -> str:
    """As it stands between quotes."""
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def heading(form: Form, name: str, kind: str, text: str) -> str:
    """What is above a family's lines; a counter is called so without its `_total`."""
    if form is Form.TEXT and kind == "counter":
        name += "_total"
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n"
