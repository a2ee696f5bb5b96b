"""What a plane logs: lines for people, or JSON for programs, each with who says it and the ids that it is about.

An id is the same on all planes: an invocation's is what its client was told, a sandbox's what gateway, worker and
control call it.
"""

import datetime
import logging
from collections.abc import Callable
from typing import Any

from attacca.cli.screens.terminal import json_text, visible
from attacca.model import story
from attacca.model.invocation import Call

FIELDS = "fields"  # of a record: what a program reads beside the message
STORY = logging.getLogger("attacca.story")


class Lines(logging.Formatter):
    """`name` is asked each time: a plane may be given one late. What is logged may hold what others wrote."""

    def __init__(self, name: Callable[[], str], *, is_json: bool) -> None:
        super().__init__()
        self._name, self._is_json = name, is_json

    def __repr__(self) -> str:
        return f"<Lines {'JSON' if self._is_json else 'text'}>"

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(timespec="milliseconds")
        if not self._is_json:
            about = getattr(record, FIELDS, {}).get("about", "")
            text = f"{at} {record.levelname} {self._name()} {record.name}: {super().format(record)}"
            return visible(f"{text} ({about})" if about else text)
        line: dict[str, Any] = {
            "at": at, "level": record.levelname.lower(), "plane": self._name(), "logger": record.name,
            "message": record.getMessage(), **getattr(record, FIELDS, {}),
        }  # fmt: skip
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json_text(line)


def log_to_stderr(name: Callable[[], str], *, verbose: bool, is_json: bool) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(Lines(name, is_json=is_json))
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])


def teller() -> story.Tell | None:
    """For a core's story; None: nobody reads it."""
    return tell if STORY.isEnabledFor(logging.INFO) else None


def tell(fact: story.Fact) -> None:
    ids = story.names(fact)
    if ids:
        what = story.what(fact)
        STORY.info("%s: %s", " ".join(ids), what, extra={FIELDS: {"ids": ids, "about": story.about(fact)}})


def watcher() -> Callable[[object], None] | None:
    """For invocations that have ended; None: nobody reads it."""
    return watch if STORY.isEnabledFor(logging.INFO) else None


def watch(event: object) -> None:
    if isinstance(event, Call):
        start = "-" if event.start is None else event.start.value
        ids = [event.id, *([event.sandbox] if event.sandbox else [])]
        about = f"{event.function}, {event.outcome}, {start}, {event.total_ms:.3f} ms"
        fields = {"ids": ids, "about": about, "function": event.function, "status": event.status,
                  "outcome": event.outcome, "start": start, "total_ms": event.total_ms}  # fmt: skip
        STORY.info("%s: answered with %d", event.id, event.status, extra={FIELDS: fields})
