"""Who may ask for what: local users and tokens, and why a page in a browser is neither."""

import ipaddress
import os
from collections.abc import Callable

from attacca.errors import AttaccaError, Forbidden, Unauthorized

Allow = Callable[[bytes | None], bool]
Fields = list[tuple[bytes, bytes]]
TRY_TOKEN = "send `Authorization: Bearer TOKEN`; `attacca token create` on the server makes one"


def is_loopback(host: str) -> bool:
    if host.lower().removesuffix(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def names_this_machine(host: bytes) -> bool:
    """Does a Host header's value name this machine by loopback, whatever the port?"""
    text = host.decode("latin-1").strip()
    if text.startswith("["):
        return is_loopback(text[1:].partition("]")[0])
    return is_loopback(text.partition(":")[0] if text.count(":") == 1 else text)


def is_page(fields: Fields) -> bool:
    """Was the request sent by a page in a browser, or under a name that is not this machine's (DNS rebinding)?

    Pages of our own origin count too: functions have pages.
    """
    for name, value in fields:
        if name == b"origin" or (name == b"host" and not names_this_machine(value)):
            return True
        if name == b"sec-fetch-site" and value.strip().lower() != b"none":
            return True
    return False


def refuse_operator(fields: Fields, uid: int | None, allow: Allow | None, *, on_loopback: bool) -> AttaccaError | None:
    """Why someone may not see what only operators see; None when they may. A token that is shown decides alone."""
    if not on_loopback or uid not in (0, os.getuid()) or any(name == b"authorization" for name, _ in fields):
        return refuse_token(fields, allow)
    if is_page(fields):
        return Forbidden("a page in a browser may not ask for this", f"name this machine as localhost, or {TRY_TOKEN}")
    return None


def refuse_token(fields: Fields, allow: Allow | None) -> AttaccaError | None:
    """Why the request's token is not good enough; None when it is."""
    authorization = next((value for name, value in fields if name == b"authorization"), None)
    if allow is not None and allow(authorization):
        return None
    what = "no token came with the request" if authorization is None else "the request's token is not known"
    return Unauthorized(what, TRY_TOKEN)
