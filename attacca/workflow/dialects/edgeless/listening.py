"""A gRPC server of the dialect: where it listens, who may come in, and how a refusal is told."""

import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import unquote

from attacca.control.driver import Control
from attacca.errors import AttaccaError, BadConfig, BadRequest, Conflict, Forbidden, NotFound, Unauthorized
from attacca.gateway.http.peer_uid import Address, uid
from attacca.kernel.access import Asked, Caller, Door, refuse

MESSAGE_MB = 64  # of code, all functions of a workflow together
CALLS_MOST = 64  # at once
GRACE_S = 1.0
Answer = Callable[[Any], Awaitable[Any]]
Calls = Mapping[str, tuple[Answer, Any]]  # by name: who answers, and what kind of message it is asked with


class Listening:
    """`door`: where it listens, and as whom. `setting`: what says where, for whoever has to change it."""

    def __init__(self, control: Callable[[], Control], door: Door, setting: str) -> None:
        self._control, self._door, self._setting = control, door, setting
        self._server: Any = None
        self.port = 0
        self._answered = self._refused = 0

    def __repr__(self) -> str:
        return f"<Listening at port {self.port}: {self._answered} answered, {self._refused} refused>"

    async def open(
        self, host: str, port: int, services: Mapping[str, Calls], known: Calls | None = None, at_once: int = CALLS_MOST
    ) -> None:
        """By the names of services. `known`: calls of FunctionInvocation that name what only those know whom it was
        told, so that nobody is asked who they are.

        Raises:
            BadConfig: nothing can listen there.
        """
        import grpc
        import grpc.aio

        options = [("grpc.max_receive_message_length", MESSAGE_MB << 20), ("grpc.so_reuseport", 0)]
        server = grpc.aio.server(options=options, maximum_concurrent_rpcs=at_once)
        for service, calls in services.items():
            handlers = {name: self._handler(grpc, self._answer, *call) for name, call in calls.items()}
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        if known is not None:
            handlers = {name: self._handler(grpc, self._answer_known, *call) for name, call in known.items()}
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(INVOCATION, handlers),))
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            self.port = server.add_insecure_port(where)
        except RuntimeError:
            raise BadConfig(f"nothing can listen at {where}", f"give {self._setting} another port") from None
        await server.start()
        self._server = server

    async def close(self) -> None:
        if self._server is not None:
            await self._server.stop(GRACE_S)
            self._server = None

    def _handler(self, grpc: Any, answered: Callable[..., Any], answer: Answer, kind: Any) -> Any:
        return grpc.unary_unary_rpc_method_handler(
            functools.partial(answered, answer), kind.FromString, lambda told: told.SerializeToString()
        )

    async def _answer(self, answer: Answer, message: Any, context: Any) -> Any:
        return await self._answered_by(answer, message, context, self._expect_allowed)

    async def _answer_known(self, answer: Answer, message: Any, context: Any) -> Any:
        return await self._answered_by(answer, message, context, lambda _: None)

    async def _answered_by(
        self, answer: Answer, message: Any, context: Any, expect_allowed: Callable[[Any], None]
    ) -> Any:
        import grpc

        try:
            expect_allowed(context)
            told = await answer(message)
        except AttaccaError as error:
            self._refused += 1
            await context.abort(status(grpc, error), error.message + (f" ({error.hint})" if error.hint else ""))
        self._answered += 1
        return told

    def _expect_allowed(self, context: Any) -> None:
        """As the admin API has it: the server's own user on its own machine, or a token.

        Raises:
            Unauthorized, Forbidden: neither.
        """
        said = dict(context.invocation_metadata() or ())
        control, token = self._control(), said.get("authorization")
        caller = Caller(authorization=token if isinstance(token, str) else None)
        refusal = refuse(
            self._door, caller, Asked.OPERATION, control.tokens.is_known, lambda: self._user(context.peer()),
            is_uid_shared=control.is_uid_shared,
        )  # fmt: skip
        if refusal is not None:
            raise refusal

    def _user(self, peer: str) -> int | None:
        theirs = address(peer)
        return None if theirs is None else uid(theirs, (theirs[0], self.port))


INVOCATION = "edgeless_api.FunctionInvocation"


def expect_installed(setting: str) -> None:
    """
    Raises:
        BadConfig: grpcio is not there.
    """
    try:
        import grpc.aio  # noqa: F401 - to see whether it can be
    except ImportError:
        raise BadConfig(f"{setting} needs grpcio", "pip install 'attacca[edgeless]'") from None


def status(grpc: Any, error: AttaccaError) -> Any:
    """Its own says INTERNAL to whatever it does not know."""
    codes = grpc.StatusCode
    match error:
        case Unauthorized():
            return codes.UNAUTHENTICATED
        case Forbidden():
            return codes.PERMISSION_DENIED
        case BadRequest() | NotFound() | Conflict():
            return codes.INTERNAL
        case _:
            return codes.UNAVAILABLE if error.retryable else codes.INTERNAL


def address(peer: str) -> Address | None:
    """As gRPC writes one: ipv4:127.0.0.1:5000, ipv6:%5B::1%5D:5000."""
    family, _, rest = peer.partition(":")
    host, _, port = unquote(rest).rpartition(":")
    if family not in ("ipv4", "ipv6") or not port.isdigit():
        return None
    return host.strip("[]"), int(port)
