"""Dirigent's way to call a function: its name is the request's Host (`:authority` in HTTP/2), and the path is `/`."""

from collections.abc import Callable

import msgspec

from attacca.errors import BadRequest, HeadersTooLarge, NotFound
from attacca.gateway.http.access import Access
from attacca.gateway.http.handler import Action, Handler, Refuse
from attacca.gateway.http.peer_uid import Ends
from attacca.gateway.http.request import Head
from attacca.kernel.access import is_local

LABEL = 63  # bytes of a host's name without dots
HERE = b"localhost"
PATHS = (b"", b"/")


class ByHost(msgspec.Struct, frozen=True):
    """A `Handler` before another. `knows`: there is a function of this name."""

    behind: Handler
    access: Access
    knows: Callable[[str], bool]

    def handle(self, head: Head, ends: Ends) -> Action:
        name = named_by(head.named.get(b"host", b""))
        if name is None or head.url not in PATHS:
            return self.behind.handle(head, ends)
        if not self.knows(name):
            return Refuse(NotFound(f"no function is called {name!r}", "register it first"))
        # Whether its sender may call it is judged as if this server had been asked for by its own name: what a page of
        # somebody else's can make a browser ask for has a dot in its host, and is not for us.
        fields = [(field, HERE if field == b"host" else value) for field, value in head.fields]
        judged = self.access.examine(fields, is_old=head.is_old)
        if isinstance(judged, BadRequest | HeadersTooLarge):
            return Refuse(judged)
        head.refusal = judged
        named = {**head.named, b"host": HERE}
        url = b"/function/" + name.encode("latin-1")
        return self.behind.handle(msgspec.structs.replace(head, url=url, fields=fields, named=named, plan=None), ends)


def named_by(host: bytes) -> str | None:
    """The function that a Host stands for; None: it is an address, or this machine's own name."""
    name = host.decode("latin-1").partition(":")[0]
    if not name or len(name) > LABEL or "." in name or "[" in name or is_local(name):
        return None
    return name
