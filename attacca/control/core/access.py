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
    fetch_site: str | None = None  # Sec-Fetch-Site, which browsers send and no page can change
    authorization: str | None = None
    is_reading_schema: bool = False  # which does nothing, and says the same of every server


def refuse(
    door: Door, caller: Caller, is_token: Callable[[str], bool], *, is_uid_shared: bool = False
) -> Unauthorized | Forbidden | None:
    """Why the caller may not come in; None: it may. `is_uid_shared`: sandboxes with the host's network run as the
    server's own user.

    A token that is shown decides alone. Without one, a browser must not be able to lend its user's rights to a page:
    so the request has to name this machine (Host), and to come from no page at all (Origin, Sec-Fetch-Site). A page
    of this very server is no better than others: functions have pages too, and share its origin.
    """
    if caller.authorization is not None:
        return _refuse_token(caller.authorization, is_token)
    if not door.is_loopback:
        return Unauthorized("this server is open to other machines, so it wants a token", TRY_TOKEN)
    if caller.host is not None and not is_local(caller.host):
        return Forbidden(
            f"the Host header {caller.host!r} does not name this machine", f"use localhost, or {TRY_TOKEN}"
        )
    if _is_page(caller) and not caller.is_reading_schema:
        return Forbidden("a page in a browser may not use the admin API, whoever it is of", TRY_TOKEN)
    if is_uid_shared and not caller.is_reading_schema:
        message = 'functions with network = "host" run as the user of this server, so that user needs a token too'
        return Unauthorized(message, TRY_TOKEN)
    if caller.peer_uid is None:
        return Unauthorized("it cannot be told which user is calling", TRY_TOKEN)
    if caller.peer_uid not in (door.server_uid, 0):
        return Unauthorized(f"user {caller.peer_uid} does not own this server", TRY_TOKEN)
    return None


def refuse_host_network(*, has_token: bool) -> Forbidden | None:
    """Why a function may not have the host's network on a server that is an ordinary user."""
    if has_token:
        return None
    return Forbidden(
        'this server runs as an ordinary user, and so would a function with network = "host": it could use the '
        "admin API, which asks nothing of that user as long as there is no token",
        "make a token with `attacca token create` and set ATTACCA_TOKEN, then deploy again; or run the server as root",
    )


def _is_page(caller: Caller) -> bool:
    return caller.origin is not None or caller.fetch_site not in (None, "none")


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
