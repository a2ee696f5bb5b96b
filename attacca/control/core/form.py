"""multipart/form-data in pieces, as they come: which field begins, what is in it, and that it ends. Pure."""

import re
from collections.abc import Callable

import msgspec

from attacca.errors import BadRequest

HEAD_BYTES = 4096  # of one field
BEFORE_BYTES = 1024  # what may stand before the first one
HINT = "send multipart/form-data with the fields settings and code, as `attacca deploy` does"
UNSEEN = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
PARAMETER = re.compile(r"""[ \t]*;[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:"((?:[^"\\]|\\.)*)"|([^ \t";]+))""")
BOUNDARY = re.compile(r"[A-Za-z0-9'()+_,./:=? -]{0,69}[A-Za-z0-9'()+_,./:=?-]")  # RFC 2046


class Began(msgspec.Struct, frozen=True):
    name: str


class Piece(msgspec.Struct, frozen=True):
    data: bytes


class Over(msgspec.Struct, frozen=True):
    """The field that began last is complete."""


Event = Began | Piece | Over


def boundary_of(content_type: str) -> str:
    """
    Raises:
        BadRequest: it is no multipart/form-data, or names no boundary.
    """
    kind, boundaries = _parameters(content_type, "boundary")
    if kind != "multipart/form-data" or len(boundaries) != 1 or BOUNDARY.fullmatch(boundaries[0]) is None:
        raise BadRequest("the body is no multipart/form-data with a boundary", HINT)
    return boundaries[0]


class Form:
    """Keeps no more than a field's head, or what may turn out to be the beginning of a boundary."""

    def __init__(self, boundary: str) -> None:
        self._mark = b"\r\n--" + boundary.encode()
        self._held = bytearray(b"\r\n")  # the first boundary has no line end before it
        self._passed = 0  # before the first boundary
        self._step: Callable[[list[Event]], bool] = self._before  # False: it needs more
        self.is_over = False

    def __repr__(self) -> str:
        return f"<Form {'over' if self.is_over else self._step.__name__.strip('_')}, {len(self._held)} bytes held>"

    def feed(self, data: bytes) -> list[Event]:
        """
        Raises:
            BadRequest: it is malformed.
        """
        self._held += data
        events: list[Event] = []
        while not self.is_over and self._step(events):
            pass
        if self.is_over:
            self._held.clear()
        return events

    def end(self) -> None:
        """
        Raises:
            BadRequest: the last boundary has not come.
        """
        if not self.is_over:
            raise BadRequest("the body ends in the middle of a field", HINT)

    def _before(self, _: list[Event]) -> bool:
        at = self._held.find(self._mark)
        self._passed += max(at, 0) if at >= 0 else max(0, len(self._held) - len(self._mark))
        if self._passed > BEFORE_BYTES:
            raise BadRequest("the body does not begin with its boundary", HINT)
        if at < 0:
            del self._held[: -len(self._mark)]
            return False
        del self._held[: at + len(self._mark)]
        self._step = self._after_mark
        return True

    def _after_mark(self, _: list[Event]) -> bool:
        if len(self._held) < 2:
            return False
        if self._held.startswith(b"--"):
            self.is_over = True
        elif not self._held.startswith(b"\r\n"):
            raise BadRequest("a boundary in the body is followed by something else", HINT)
        self._step = self._head  # which ends at the first empty line, so the line end stays
        return True

    def _head(self, events: list[Event]) -> bool:
        at = self._held.find(b"\r\n\r\n")
        if at > HEAD_BYTES or (at < 0 and len(self._held) > HEAD_BYTES + 3):  # its end may be there but for a byte
            raise BadRequest("the head of a field is too long", HINT)
        if at < 0:
            return False
        if self._held.find(self._mark, 0, at) >= 0:
            raise BadRequest("a boundary in the body is followed by something else", HINT)
        events.append(Began(_name(bytes(self._held[:at]))))
        del self._held[: at + 4]
        self._step = self._content
        return True

    def _content(self, events: list[Event]) -> bool:
        at = self._held.find(self._mark)
        if at < 0:
            keep = len(self._mark) - 1
            if len(self._held) > keep:
                events.append(Piece(bytes(self._held[:-keep])))
                del self._held[:-keep]
            return False
        if at:
            events.append(Piece(bytes(self._held[:at])))
        events.append(Over())
        del self._held[: at + len(self._mark)]
        self._step = self._after_mark
        return True


def _name(head: bytes) -> str:
    """
    Raises:
        BadRequest: it has none, or another reader could find another one.
    """
    found = []
    for line in head.split(b"\r\n")[1:]:
        field, colon, value = line.partition(b":")
        if not colon or UNSEEN.search(line) or field != field.strip():
            raise BadRequest("a line in the head of a field is none", HINT)
        if field.lower() == b"content-disposition":
            found.append(_parameters(value.decode(errors="replace"), "name"))
    kind, names = found[0] if len(found) == 1 else ("", [])
    if kind != "form-data" or len(names) != 1:
        raise BadRequest("a field of the body needs one Content-Disposition: form-data, with one name", HINT)
    return names[0]


def _parameters(text: str, wanted: str) -> tuple[str, list[str]]:
    """What a field's value is of, and the values of one parameter; nothing where the grammar is not kept."""
    kind, semicolon, rest = text.partition(";")
    rest, at, found = semicolon + rest, 0, list[str]()
    while match := PARAMETER.match(rest, at):
        at = match.end()
        if match[1].lower() == wanted:
            found.append(match[3] if match[2] is None else re.sub(r'\\(["\\])', r"\1", match[2]))
    return ("", []) if rest[at:].strip("; \t") else (kind.strip(" \t").lower(), found)
