"""Who asks, as the front sees it: the decision of `kernel.access`, and the memory of heads that are beyond doubt."""

import os
from collections.abc import Callable

from attacca.errors import BadRequest
from attacca.kernel.access import Asked, Caller, Door, PeerUid, Refusal, caller, is_loopback, misnamed, refuse

Allow = Callable[[bytes | None], bool]
Fields = list[tuple[bytes, bytes]]
KEPT = 1024  # heads remembered
KEPT_NAMES, KEPT_LENGTH = 32, 1024


class Access:
    def __init__(self, host: str, *, is_public: bool, allow: Allow | None, is_uid_shared: Callable[[], bool]) -> None:
        """`allow` judges the value of an Authorization header. `is_uid_shared`: a local peer's uid says nothing, as
        sandboxes with the host's network have ours."""
        self.door = Door(os.getuid(), is_loopback(host), is_public)
        self._allow = allow
        self._is_uid_shared = is_uid_shared
        # By the value of Host and the names of all fields, none of them twice. What else they say does not matter to
        # whoever calls a function: the next such head is not looked at.
        self.harmless: dict[tuple[bytes | None, ...], None] = {}

    def examine(self, fields: Fields, *, is_old: bool) -> BadRequest | Refusal | None:
        """Why a head is malformed, or, if nothing is wrong with it, why its sender may not call functions."""
        hosts = [value for name, value in fields if name == b"host"]
        error = misnamed(hosts, is_needed=not is_old)
        if error is not None:
            return error
        sender = caller(fields)
        refusal = refuse(self.door, sender, Asked.FUNCTION, self._is_token, _nobody)
        if refusal is None and hosts and self._is_beyond_doubt(sender):
            self._remember(fields, hosts[0])
        return refusal

    def refuse_operator(self, fields: Fields, peer_uid: PeerUid) -> Refusal | None:
        """Why its sender may not see what only operators see."""
        is_shared = self._is_uid_shared()
        return refuse(self.door, caller(fields), Asked.OPERATION, self._is_token, peer_uid, is_uid_shared=is_shared)

    def _is_token(self, secret: str) -> bool:
        return self._allow is not None and self._allow(b"Bearer " + secret.encode("latin-1"))

    def _is_beyond_doubt(self, sender: Caller) -> bool:
        """Would another with the same Host and the same fields be let in whatever these say?"""
        if sender.origin is not None or sender.fetch_site is not None:
            return self.door.is_public
        without_token = Caller(host=sender.host, is_proxied=sender.is_proxied)
        return refuse(self.door, without_token, Asked.FUNCTION, self._is_token, _nobody) is None

    def _remember(self, fields: Fields, host: bytes) -> None:
        key = (host, *dict(fields))
        if len(key) != len(fields) + 1 or len(key) > KEPT_NAMES or sum(map(len, key)) > KEPT_LENGTH:
            return
        if len(self.harmless) >= KEPT:
            self.harmless.clear()
        self.harmless[key] = None


def _nobody() -> None:
    """Who calls a function is not asked for."""
