"""The gateways that control knows, and what they are told of the workers."""

from collections.abc import Iterable

from attacca.control.core.events import Command
from attacca.control.core.workers import Worker
from attacca.model.messages import GatewayJoined, Member, Members, Send


class Gateways:
    """In the order in which they joined."""

    def __init__(self) -> None:
        self.by_name: dict[str, GatewayJoined] = {}

    def __repr__(self) -> str:
        return f"<Gateways {len(self.by_name)}>"

    def apart(self) -> list[str]:
        return [name for name, joined in self.by_name.items() if joined.is_apart]

    def join(self, joined: GatewayJoined, workers: Iterable[Worker], out: list[Command]) -> None:
        self.by_name[joined.name] = joined
        out.append(Send(joined.name, members(workers)))

    def tell(self, workers: Iterable[Worker], out: list[Command]) -> None:
        """Who there is has changed."""
        if self.by_name:
            now = members(workers)
            out += [Send(name, now) for name in self.by_name]


def members(workers: Iterable[Worker]) -> Members:
    """Those that gateways have to dial; others are joined to them already."""
    return Members(tuple(Member(worker.name, worker.address) for worker in workers if worker.address))
