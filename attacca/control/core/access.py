"""Who may use the admin API: the owner of the server from the same machine, or whoever has a token."""

import ipaddress
from collections.abc import Callable

import msgspec

from attacca.errors import Forbidden, Unauthorized

TRY_TOKEN = "make a token with `attacca token create` on the server, and set ATTACCA_TOKEN or pass --token"


class Door(msgspec.Struct, frozen=True):
    """Where the server listens, and as whom it runs."""

    server_uid: int
    is_loopback: bool


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one request. `peer_uid`: the user at the other end of a local connection, if it can be told."""

    peer_uid: int | None = None
    host: str | None = None
    origin: str | None = None
    authorization: str | None = None


def refuse(door: Door, caller: Caller, is_token: Callable[[str], bool]) -> Unauthorized | Forbidden | None:
    """Why the caller may not come in; None: it may.

    A token that is shown decides alone. Without one, a browser must not be able to lend its user's rights to a page
    of someone else: so the request has to name this machine (Host) and come from no other site (Origin).
    """
    if caller.authorization is not None:
        return _refuse_token(caller.authorization, is_token)
    if not door.is_loopback:
        return Unauthorized("this server is open to other machines, so it wants a token", TRY_TOKEN)
    if caller.host is not None and not is_local(caller.host):
        return Forbidden(
            f"the Host header {caller.host!r} does not name this machine", f"use localhost, or {TRY_TOKEN}"
        )
    if caller.origin is not None and not is_same_site(caller.origin, caller.host):
        return Forbidden(f"a page of {caller.origin} may not use the admin API", TRY_TOKEN)
    if caller.peer_uid is None:
        return Unauthorized("it cannot be told which user is calling", TRY_TOKEN)
    if caller.peer_uid not in (door.server_uid, 0):
        return Unauthorized(f"user {caller.peer_uid} does not own this server", TRY_TOKEN)
    return None


def bearer(authorization: str) -> str | None:
    """The token in an Authorization header; None when it is of another kind."""
    scheme, _, token = authorization.strip().partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _refuse_token(authorization: str, is_token: Callable[[str], bool]) -> Unauthorized | None:
    token = bearer(authorization)
    if token is None:
        return Unauthorized("the Authorization header is not `Bearer TOKEN`", TRY_TOKEN)
    return None if is_token(token) else Unauthorized("this token is not known", TRY_TOKEN)


def is_local(host: str) -> bool:
    """Does a Host header name this machine, whatever the port?"""
    name = host.strip().lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") <= 1:
        name = name.partition(":")[0]
    name = name.removesuffix(".")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def is_same_site(origin: str, host: str | None) -> bool:
    """Is the page that sent the request one of this very server?"""
    scheme, separator, authority = origin.strip().lower().partition("://")
    return separator != "" and scheme in ("http", "https") and host is not None and authority == host.strip().lower()
