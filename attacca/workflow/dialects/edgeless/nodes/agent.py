"""A node of EDGELESS, asked over gRPC: its agent, which starts and stops, and its data plane, which takes events."""

from typing import Any

from attacca.errors import AttaccaError, BadFunction, StartFailed, Unreachable
from attacca.workflow.dialects.edgeless.listening import INVOCATION, MESSAGE_MB
from attacca.workflow.dialects.edgeless.words import empty, words

FUNCTIONS, RESOURCES = "edgeless_api.FunctionInstance", "edgeless_api.ResourceConfiguration"
MANAGEMENT = "edgeless_api.NodeManagement"
ASK_S, EVENT_S = 10.0, 10.0  # until it has answered


class Agent:
    """Each of these raises Unreachable where the node does not answer, and another AttaccaError where it refuses."""

    def __init__(self, agent: str, invocation: str) -> None:
        """HOST:PORT of both."""
        import grpc.aio

        options = [("grpc.max_send_message_length", MESSAGE_MB << 20), ("grpc.enable_http_proxy", 0)]
        self._at = agent
        self._agent = grpc.aio.insecure_channel(agent, options)
        self._invocation = grpc.aio.insecure_channel(invocation, options)

    def __repr__(self) -> str:
        return f"<Agent at {self._at}>"

    async def close(self) -> None:
        await self._agent.close()
        await self._invocation.close()

    async def reset(self) -> None:
        """Nothing of what it hosts is left."""
        await self._ask(self._agent, MANAGEMENT, "Reset", empty()(), empty())

    async def add_peer(self, peer: Any) -> None:
        await self._ask(self._agent, MANAGEMENT, "UpdatePeers", peer, empty())

    async def start_function(self, request: Any) -> str:
        """The id that it has there. Its code may not have been looked at yet."""
        return await self._start(FUNCTIONS, request)

    async def start_resource(self, request: Any) -> str:
        return await self._start(RESOURCES, request)

    async def _start(self, service: str, request: Any) -> str:
        told = await self._ask(self._agent, service, "Start", request, words().StartComponentResponse)
        if not told.HasField("instance_id"):
            error = told.response_error
            what = f"{error.summary[:200]}: {error.detail[:1000]}"
            raise BadFunction(f"the node refuses it: {what}", "see the log of the node")
        return str(told.instance_id.instance_id.function_id).lower()

    async def patch(self, request: Any, *, is_resource: bool) -> None:
        await self._ask(self._agent, RESOURCES if is_resource else FUNCTIONS, "Patch", request, empty())

    async def stop(self, whom: Any, *, is_resource: bool) -> None:
        await self._ask(self._agent, RESOURCES if is_resource else FUNCTIONS, "Stop", whom, empty())

    async def handle(self, event: Any) -> None:
        """It has the event; when its instance has handled it is not said."""
        await self._ask(self._invocation, INVOCATION, "Handle", event, empty(), EVENT_S)

    async def _ask(
        self, channel: Any, service: str, call: str, request: Any, answer: Any, seconds: float = ASK_S
    ) -> Any:
        import grpc

        ask = channel.unary_unary(
            f"/{service}/{call}", request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )  # fmt: skip
        try:
            return await ask(request, timeout=seconds)
        except grpc.aio.AioRpcError as error:
            raise _told(grpc, error, call) from None


def _told(grpc: Any, error: Any, call: str) -> AttaccaError:
    text = f"{call}: {error.code().name}: {(error.details() or '')[:500]}"
    away = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    if error.code() in away:
        return Unreachable(f"the node does not answer {text}", "see whether it runs")
    return StartFailed(f"the node refuses {text}", "see the log of the node")
