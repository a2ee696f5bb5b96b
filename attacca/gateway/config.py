"""The gateway's settings: where it listens, what it takes, and how long it waits for slow clients."""

import ipaddress
from typing import Annotated, Literal

import msgspec

from attacca.kernel.registry import Choice
from attacca.model.membership import ATTEMPTS, SILENT_S

PIECES_SHARE = 0.25  # of the buffers, for what is small and what waits its turn; the rest is for whole bodies
FUNCTION_SHARE = 0.5  # of either part, for one function

Positive = Annotated[float, msgspec.Meta(gt=0)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65_535)]  # 0: any free one
Count = Annotated[int, msgspec.Meta(ge=1)]


def _expect_networks(setting: str, named: tuple[str, ...]) -> None:
    for one in named:
        try:
            ipaddress.ip_network(one, strict=False)
        except ValueError:
            raise ValueError(f"{setting}: {one!r} is no address and no range of them, like 10.0.0.0/8") from None


class AsyncConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Calls whose answers are fetched later."""

    calls: Count = 100_000  # that are not over
    buffer_mb: Positive = 1024.0  # of their requests
    keep_mb: Positive = 4096.0  # on the disk, of requests and answers; the oldest answers go first
    max_answer_mb: Positive = 8.0  # of one call, or of a request with an Idempotency-Key
    lease_s: Annotated[float, msgspec.Meta(ge=0.1, le=60)] = 3.0  # a gateway that is silent for so long loses its calls
    wait_s: Positive = 60.0  # at most, for GET /calls/ID?wait=
    callback_tries: Count = 8
    callback_timeout_s: Positive = 10.0
    callback_networks: tuple[str, ...] = ()  # private addresses, and ranges of them, that callbacks may go to

    def __post_init__(self) -> None:
        _expect_networks("async.callback_networks", self.callback_networks)


class GatewayConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one listener allows.

    A body that is collected before the function sees it is kept whole in memory twice, here and in the sandbox, so its
    bound is low; one that is streamed into an ASGI or WSGI function passes in pieces, so its bound is high.
    """

    host: str = "127.0.0.1"
    port: Port = 8080
    share_port: bool = False  # with other gateways of this machine; the kernel gives each its part of the connections
    http2: bool = False  # also HTTP/2 without TLS, for clients that begin with it
    dialects: tuple[Literal["dirigent"], ...] = ()  # of other platforms' clients, beside our own
    public: bool = False  # /function needs no token, also on an address that others reach
    proxies: tuple[str, ...] = ("127.0.0.0/8", "::1")  # addresses, and ranges of them, whose X-Forwarded-* is believed
    max_body_mb: Positive = 16.0  # collected request bodies
    buffers_mb: Positive = 512.0  # held of all requests, and as much again of answers; for one function at most half
    max_stream_mb: Positive = 1024.0  # request bodies streamed into ASGI and WSGI functions
    max_admin_mb: Positive = 512.0  # request bodies of the admin API: code archives
    max_head_kb: Annotated[int, msgspec.Meta(ge=1, le=64)] = 32  # request line and headers together
    max_connections: Count = 10_000
    head_timeout_s: Positive = 10.0  # from the first byte of a request until its head is complete
    body_timeout_s: Positive = 30.0  # how long a body may bring less than 1 KB/s, or wait for room in the buffers; how
    # long the reader of an answer may stall
    idle_timeout_s: Positive = 75.0  # between two requests of a connection
    drain_s: Annotated[float, msgspec.Meta(ge=0)] = 30.0  # of a gateway apart: what it has taken may take this long to
    # end at shutdown, while others take what comes
    linger_s: Positive = 2.0  # how long the rest of a refused body is read, so that its sender sees the refusal
    calls_kept: Count = 200  # ended invocations remembered per function
    balancing: Choice = Choice(policy="least_loaded")  # which worker gets an invocation, where there are several
    slots: Choice = Choice(policy="latest")  # which sandbox gets one, where control has made them
    silent_s: Positive = SILENT_S  # a worker that says nothing for so long is lost; three of its heartbeats
    async_: AsyncConfig = msgspec.field(name="async", default=AsyncConfig())
    attempts: Count = ATTEMPTS  # workers that an invocation is sent to, when one after the other is lost

    def __post_init__(self) -> None:
        _expect_networks("proxies", self.proxies)
        share_mb = self.buffers_mb * (1 - PIECES_SHARE) * FUNCTION_SHARE
        if self.max_body_mb > share_mb:
            raise ValueError(
                f"max_body_mb ({self.max_body_mb:g}) must not be more than one function's share of buffers_mb "
                f"({self.buffers_mb:g}), which is {share_mb:g}"
            )
