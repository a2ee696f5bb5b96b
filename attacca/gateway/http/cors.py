"""Pages of other sites: what a browser asks before one may call a function, and what it wants to read in the answer."""

from collections.abc import Mapping, Sequence

from attacca.gateway.http.response import Fields, Whole

METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
AGE_S = 600  # how long a browser may remember an answer
ASKED_MOST = 4096  # bytes of the names of headers that it asks for
NAMED = b"access-control-allow-origin"


def is_preflight(head: Mapping[bytes, bytes]) -> bool:
    return b"origin" in head and b"access-control-request-method" in head


def allows(cors: Sequence[str], origin: bytes | None) -> bool:
    if origin is None or not cors:
        return False
    return "*" in cors or origin.decode("latin-1").lower() in map(str.lower, cors)


def fields(cors: Sequence[str], origin: bytes | None) -> Fields:
    """For an answer to a page of this origin."""
    if origin is None or not allows(cors, origin):
        return []
    if "*" in cors:
        return [(NAMED, b"*")]
    return [(NAMED, origin), (b"vary", b"origin")]


def added(answered: Fields, more: Fields) -> Fields:
    """A function that says who may read its answer is left to it."""
    return answered if any(name == NAMED for name, _ in answered) else [*answered, *more]


def options(cors: Sequence[str], head: Mapping[bytes, bytes]) -> Whole:
    """The answer to OPTIONS: no function is run for it."""
    told: Fields = [(b"allow", METHODS)]
    if is_preflight(head) and (allowed := fields(cors, head[b"origin"])):
        asked = head.get(b"access-control-request-headers", b"")
        told += [*allowed, (b"access-control-allow-methods", METHODS)]
        if asked and len(asked) <= ASKED_MOST:
            told.append((b"access-control-allow-headers", asked))
        told.append((b"access-control-max-age", b"%d" % AGE_S))
    return Whole(204, told, b"")
