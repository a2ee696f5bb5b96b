"""Who asks, as the gateway sees it: the decision of `kernel.access`, and the memory of heads that are beyond doubt."""

import os
from collections.abc import Callable
from enum import Enum
from typing import Any

from attacca.errors import AttaccaError, BadRequest, HeadersTooLarge
from attacca.gateway.http.request import FOREIGN, Fields, Head, misframed
from attacca.kernel.access import (
    Asked,
    Caller,
    Door,
    PeerUid,
    Refusal,
    caller,
    is_local,
    is_loopback,
    is_telling,
    misnamed,
    refuse,
)

Allow = Callable[[bytes | None], bool]
FIELDS_MOST = 200  # of a request's head: the shortest take thirty times their bytes in memory
KEPT = 1024  # hosts remembered, and names of fields
KEPT_LENGTH = 64
KEY = b"idempotency-key"


class Plan(Enum):
    """What is noted in a head for whoever makes a plan of it."""

    KEYED = "keyed"  # its sender may send it again, and wants it done once


class Access:
    def __init__(
        self,
        host: str,
        *,
        is_public: bool,
        allow: Allow | None,
        is_uid_shared: Callable[[], bool],
        knows_proxies: bool = False,
    ) -> None:
        """`allow` judges the value of an Authorization header. `is_uid_shared`: a local peer's uid says nothing, as
        sandboxes with the host's network have ours. `knows_proxies`: see Door."""
        self.door = Door(os.getuid(), is_loopback(host), is_public, knows_proxies)
        self._allow = allow
        self._is_uid_shared = is_uid_shared
        self.needs_token = not (self.door.is_loopback or is_public)
        # A head with one of these hosts, and none but fields that do not matter whatever they say, is not examined.
        # Where everybody needs a token, that is all that is looked at.
        self.hosts: set[bytes | None] = set()
        self.names: set[bytes] = set()

    def judge(self, head: Head) -> AttaccaError | None:
        """What is wrong with it; then its connection cannot be used for another. Why its sender may not call functions
        is noted in it. Heads whose host and names of fields are beyond doubt are spared the examination."""
        named = head.named
        if head.version != "1.1" or b"transfer-encoding" in named or head.method in FOREIGN:
            error = misframed(head)
            if error is not None:
                return error
        if (
            len(named) != len(head.fields)
            or len(named) > FIELDS_MOST
            or named.get(b"host") not in self.hosts
            or not self.names.issuperset(named)
        ):
            judged = self.examine(head.fields, is_old=head.is_old)
            if isinstance(judged, BadRequest | HeadersTooLarge):
                return judged
            head.refusal = judged
            if KEY in named:
                head.plan = Plan.KEYED
        elif self.needs_token:
            head.refusal = self.refuse_stranger(named.get(b"authorization"))
        return None

    def __repr__(self) -> str:
        return f"<Access {len(self.hosts)} hosts and {len(self.names)} names of fields beyond doubt>"

    def examine(self, fields: Fields, *, is_old: bool) -> BadRequest | HeadersTooLarge | Refusal | None:
        """Why a head is malformed, or, if nothing is wrong with it, why its sender may not call functions."""
        if len(fields) > FIELDS_MOST:
            return too_many_fields()
        hosts = [value for name, value in fields if name == b"host"]
        error = misnamed(hosts, is_needed=not is_old)
        if error is not None:
            return error
        if hosts:
            self._remember(fields, hosts[0])
        return refuse(self.door, caller(fields), Asked.FUNCTION, self._is_token, _nobody)

    def refuse_operator(self, fields: Fields, peer_uid: PeerUid) -> Refusal | None:
        """Why its sender may not see what only operators see."""
        is_shared = self._is_uid_shared()
        return refuse(self.door, caller(fields), Asked.OPERATION, self._is_token, peer_uid, is_uid_shared=is_shared)

    def _is_token(self, secret: str) -> bool:
        return self._allow is not None and self._allow(b"Bearer " + secret.encode("latin-1"))

    def refuse_stranger(self, authorization: bytes | None) -> Refusal | None:
        """Why who shows this may not call functions where everybody needs a token."""
        shown = None if authorization is None else authorization.decode("latin-1")
        return refuse(self.door, Caller(authorization=shown), Asked.FUNCTION, self._is_token, _nobody)

    def _remember(self, fields: Fields, host: bytes) -> None:
        is_all_the_same = self.needs_token or self.door.is_public
        if is_all_the_same or is_local(host.decode("latin-1")):
            _add(self.hosts, host)
        for name, _ in fields:
            if name != KEY and (is_all_the_same or not is_telling(name)):
                _add(self.names, name)


def too_many_fields() -> HeadersTooLarge:
    return HeadersTooLarge(f"the request's head has more than {FIELDS_MOST} fields", "send fewer headers")


def _add(known: set[Any], one: bytes) -> None:
    if len(one) <= KEPT_LENGTH:
        if len(known) >= KEPT:
            known.clear()
        known.add(one)


def _nobody() -> None:
    """Who calls a function is not asked for."""
