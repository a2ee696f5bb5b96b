"""Who may ask a server for what: one decision for the functions, the admin API and the metrics.

A token that is shown is as good as its owner. Without one, only what comes from this very machine may enter, and a
browser must not be able to lend its user's rights to a page: so the request has to name this machine (Host), to have
passed no proxy, and to come from no page (Origin, Sec-Fetch-Site). Functions have pages, and may be called from these.
"""

import hashlib
import ipaddress
import re
from collections.abc import Callable, Iterable
from enum import Enum

import msgspec

from attacca.errors import BadRequest, Forbidden, Unauthorized

TRY_TOKEN = "make a token with `attacca token create` on the server, and set ATTACCA_TOKEN or pass --token"
TRY_PUBLIC = "send `Authorization: Bearer TOKEN`, or start the server with --public"
AUTHORITY = re.compile(rb"(\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z._~-]{1,255})(?::([0-9]{1,5}))?")
PORT_MOST = 65_535
HOW_TO_NAME = "send one Host header with a name or an address, and a port if need be: localhost:8080"

# What proxies and content delivery networks add, and nobody who is here in person.
PROXIED = frozenset(
    (
        *(b"forwarded", b"via", b"x-via", b"x-bluecoat-via", b"x-host", b"x-scheme", b"x-url-scheme", b"x-rewrite-url"),
        *(b"client-ip", b"true-client-ip", b"x-client-ip", b"x-cluster-client-ip", b"wl-proxy-client-ip"),
        *(b"x-remote-addr", b"x-originating-ip", b"x-proxyuser-ip", b"x-nf-client-connection-ip", b"do-connecting-ip"),
        *(b"x-original-host", b"x-original-url", b"x-original-uri", b"x-original-proto"),
        *(b"x-client-cert", b"ssl-client-cert", b"front-end-https", b"surrogate-capability", b"disguised-host"),
        *(b"cdn-loop", b"x-amz-cf-id", b"x-amzn-trace-id", b"x-cloud-trace-context", b"x-request-start", b"x-varnish"),
        *(b"x-nginx-proxy", b"x-iinfo", b"proxy-connection", b"x-remote-ip", b"x-original-remote-addr"),
    )
)
PROXIED_STARTS = (
    *(b"x-forwarded", b"x-forwarder", b"x-original-forwarded", b"x-real-", b"x-proxy-", b"x-ssl-client-", b"x-envoy-"),
    *(b"x-azure-", b"x-arr-", b"x-appengine-", b"x-akamai-", b"akamai-", b"x-sucuri-", b"x-vercel-", b"cloudfront-"),
    *(b"cf-", b"fastly-", b"x-fastly-", b"fly-", b"incap-", b"tailscale-", b"ngrok-"),
)


class Asked(Enum):
    """What somebody wants: to call a function, to read how the admin API looks, or what only operators may."""

    FUNCTION = "function"
    SCHEMA = "schema"
    OPERATION = "operation"


class Door(msgspec.Struct, frozen=True):
    """Where the server listens, as whom it runs, and whether its functions are for everybody. `knows_proxies`: those on
    this machine are named as ones that functions may be called through."""

    server_uid: int
    is_loopback: bool
    is_public: bool = False
    knows_proxies: bool = False


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one request without asking anybody."""

    host: str | None = None
    origin: str | None = None
    fetch_site: str | None = None  # Sec-Fetch-Site, which browsers send and no page can change
    authorization: str | None = None
    is_proxied: bool = False


PeerUid = Callable[[], int | None]  # who is at the other end, if that can be told; asked only when it decides
Refusal = Unauthorized | Forbidden


def caller(fields: Iterable[tuple[bytes, bytes]]) -> Caller:
    """From a head's fields, their names in lower case. Two of one kind pass for neither."""
    found: dict[bytes, str] = {}
    is_proxied = False
    for name, raw in fields:
        if name in (b"host", b"origin", b"sec-fetch-site", b"authorization"):
            value = raw.decode("latin-1")
            found[name] = f"{found[name]}, {value}" if name in found else value
        elif not is_proxied:
            is_proxied = is_of_a_proxy(name)
    return Caller(
        host=found.get(b"host"),
        origin=found.get(b"origin"),
        fetch_site=found.get(b"sec-fetch-site"),
        authorization=found.get(b"authorization"),
        is_proxied=is_proxied,
    )


def refuse(
    door: Door,
    caller: Caller,
    asked: Asked,
    is_token: Callable[[str], bool],
    peer_uid: PeerUid,
    *,
    is_uid_shared: bool = False,
) -> Refusal | None:
    """Why the caller may not come in; None: it may. `is_uid_shared`: sandboxes with the host's network run as the
    server's own user.

    A token decides alone, except before a function: that may have an Authorization of its own.
    """
    if asked is Asked.FUNCTION:
        return _refuse_call(door, caller, is_token)
    if caller.authorization is not None:
        return _refuse_token(caller.authorization, is_token)
    refusal = _refuse_stranger(door, caller, TRY_TOKEN)
    if refusal is not None:
        return refusal
    if asked is Asked.OPERATION:
        if is_page(caller):
            return Forbidden("a page in a browser may not ask for this, whoever it is of", TRY_TOKEN)
        if is_uid_shared:
            message = 'functions with network = "host" run as the user of this server, so that user needs a token too'
            return Unauthorized(message, TRY_TOKEN)
    uid = peer_uid()
    if uid is None:
        return Unauthorized("it cannot be told which user is calling", TRY_TOKEN)
    if uid not in (door.server_uid, 0):
        return Unauthorized(f"user {uid} does not own this server", TRY_TOKEN)
    return None


def _refuse_call(door: Door, caller: Caller, is_token: Callable[[str], bool]) -> Refusal | None:
    """Every user of this machine may call functions, also through a proxy on it that is known."""
    if door.is_public:
        return None
    if caller.authorization is not None:
        by_token = _refuse_token(caller.authorization, is_token)
        if by_token is None or not door.is_loopback:
            return by_token
    refusal = _refuse_stranger(door, caller, TRY_PUBLIC, knows_proxies=door.knows_proxies)
    if refusal is None and is_page(caller) and not is_own_page(caller):
        return Forbidden("a page of another site may not call functions here", TRY_PUBLIC)
    return refusal


def _refuse_stranger(door: Door, caller: Caller, hint: str, *, knows_proxies: bool = False) -> Refusal | None:
    if not door.is_loopback:
        return Unauthorized("this server is open to other machines, so it wants a token", hint)
    if caller.is_proxied and not knows_proxies:
        return Unauthorized("the request came through a proxy, so it may be anybody's, and wants a token", hint)
    if caller.host is not None and not is_local(caller.host):
        shown = caller.host[:100]
        return Forbidden(f"the Host header {shown!r} does not name this machine", f"use localhost, or {hint}")
    return None


def _refuse_token(authorization: str, is_token: Callable[[str], bool]) -> Unauthorized | None:
    token = bearer(authorization)
    if token is None:
        return Unauthorized("the Authorization header is not `Bearer TOKEN`", TRY_TOKEN)
    return None if is_token(token) else Unauthorized("this token is not known", TRY_TOKEN)


def digest(token: str) -> str:
    """By which a token is known. A plain hash is enough: they are long and random, so nobody can guess their way to
    one."""
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()


def bearer(authorization: str) -> str | None:
    """The token in an Authorization header; None when it is of another kind."""
    scheme, _, token = authorization.strip().partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def admits(digests: Iterable[str], authorization: bytes | None) -> bool:
    """Does this Authorization header carry one of the tokens of these digests?"""
    token = None if authorization is None else bearer(authorization.decode("latin-1"))
    return token is not None and digest(token) in digests


# What a head shows.


def is_page(caller: Caller) -> bool:
    return caller.origin is not None or caller.fetch_site not in (None, "none")


def is_own_page(caller: Caller) -> bool:
    """Is it a page that this very server sent? `Origin: null` is nobody's."""
    if caller.fetch_site not in (None, "none", "same-origin"):
        return False
    if caller.origin is None:
        return True
    return caller.host is not None and caller.origin.lower() == f"http://{caller.host.lower()}"


def is_telling(name: bytes) -> bool:
    """Does a field of this name say something against its sender? Host does too, and is looked at by its value."""
    return name in (b"origin", b"sec-fetch-site") or is_of_a_proxy(name)


def is_of_a_proxy(name: bytes) -> bool:
    """Is it a header that proxies add? Some of them write `_` for `-`."""
    name = name.replace(b"_", b"-")
    return name in PROXIED or name.startswith(PROXIED_STARTS)


def misnamed(hosts: list[bytes], *, is_needed: bool) -> BadRequest | None:
    """What is wrong with a head's Host fields; HTTP/1.1 needs one."""
    if len(hosts) > 1:
        return BadRequest(f"the request names {len(hosts)} hosts", HOW_TO_NAME)
    if not hosts:
        return BadRequest("the request names no host", HOW_TO_NAME) if is_needed else None
    if authority(hosts[0].strip(b" \t")) is None:
        shown = hosts[0][:100].decode("latin-1")
        return BadRequest(f"the Host header {shown!r} is no name of a host", HOW_TO_NAME)
    return None


def authority(host: bytes) -> str | None:
    """The name or address in a Host header; None when it is malformed. An IPv6 address has its brackets off."""
    found = AUTHORITY.fullmatch(host)
    if found is None or (found[2] is not None and int(found[2]) > PORT_MOST):
        return None
    name = found[1].decode("ascii")
    if not name.startswith("["):
        return name
    try:
        return str(ipaddress.IPv6Address(name[1:-1]))
    except ValueError:
        return None


def is_local(host: str) -> bool:
    """Does a Host header name this machine, whatever the port?"""
    try:
        name = authority(host.strip(" \t").encode("latin-1"))
    except UnicodeEncodeError:
        return False
    return name is not None and is_loopback(name)


def is_loopback(name: str) -> bool:
    """Is this name or address, as listened on or as asked for, only of this machine?"""
    name = name.lower().removesuffix(".")
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
