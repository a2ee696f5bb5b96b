"""Who has logged in at the dashboard, and by which keys its pages are told from those of functions.

A function's page has the same origin as the dashboard, and a browser sends the cookie along with whatever it asks. So
a request also shows a key, which stands in the dashboard's own first page, and nowhere that a script could read.
"""

import hashlib
import hmac
import secrets

import msgspec

LASTS_S = 12 * 3600.0
MOST = 1000
LOCAL = ""  # the session of who needs none


class Session(msgspec.Struct, frozen=True, gc=False):
    authorization: bytes  # what its owner has shown
    until: float


class Sessions:
    """In memory alone: who was logged in logs in again after a restart."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)
        self._by_name: dict[str, Session] = {}

    def __repr__(self) -> str:
        return f"<Sessions {len(self._by_name)}>"

    def begin(self, now: float, authorization: bytes) -> str:
        """Its name, which only its owner knows. Where there are too many, the oldest ends."""
        self._by_name = {name: one for name, one in self._by_name.items() if one.until > now}
        while len(self._by_name) >= MOST:
            del self._by_name[next(iter(self._by_name))]
        name = secrets.token_urlsafe(24)
        self._by_name[name] = Session(authorization, now + LASTS_S)
        return name

    def find(self, now: float, name: str) -> bytes | None:
        """What its owner has shown; None: there is none of that name."""
        session = self._by_name.get(name)
        return session.authorization if session is not None and session.until > now else None

    def end(self, name: str) -> None:
        self._by_name.pop(name, None)

    def key(self, name: str) -> str:
        """For the pages of this session; another server, and the same one after a restart, has others."""
        return hmac.new(self._secret, name.encode(), hashlib.sha256).hexdigest()[:40]

    def fits(self, name: str, key: str) -> bool:
        return hmac.compare_digest(self.key(name).encode(), key.encode())
