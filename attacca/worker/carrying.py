"""What a worker core orders, as orders of its runtime: one each; and what a runtime reports, as gateways hear it."""

import logging
from typing import Protocol

from attacca.model.endpoints import SandboxDown, StartSandbox
from attacca.model.events import BetweenInstances
from attacca.model.invocation import Failed
from attacca.model.messages import (
    Check,
    Checked,
    Dispatch,
    Ended,
    Flow,
    FromControl,
    ResponseBody,
    ResponseHead,
    ToWorker,
)
from attacca.worker.core.events import (
    Deliver,
    DropTemplate,
    Hand,
    Kill,
    Listen,
    MakeSandbox,
    MakeTemplate,
    Respond,
    Stop,
    TakeBack,
    ToSandbox,
    Warn,
)
from attacca.worker.core.reports import RunBody, RunFlow, RunHead
from attacca.worker.runtime.types import Runtime

LOG = logging.getLogger("attacca.worker")
Order = MakeSandbox | Kill | Stop | MakeTemplate | DropTemplate | ToSandbox | Warn


class Roads(Protocol):
    """To other workers."""

    def dial(self, worker: str, where: str) -> None: ...
    def send(self, worker: str, message: BetweenInstances) -> None: ...


class NoRoads:
    """Where there is no other."""

    def __repr__(self) -> str:
        return "<NoRoads>"

    def dial(self, worker: str, where: str) -> None: ...
    def send(self, worker: str, message: BetweenInstances) -> None: ...


def carry_out(runtime: Runtime, order: Order) -> None:
    match order:
        case MakeSandbox():
            runtime.make_sandbox(order.sandbox, order.revision, order.template)
        case Kill():
            runtime.kill(order.sandbox)
        case Stop():
            runtime.stop(order.sandbox, order.invocation)
        case MakeTemplate():
            runtime.make_template(order.template, order.revision)
        case DropTemplate():
            runtime.drop_template(order.template)
        case Hand() | TakeBack() | Deliver() | Respond() | Listen():
            runtime.tell(order.sandbox, order)
        case Warn():
            LOG.warning("%s", order.text)


def passed_on(report: RunHead | RunBody | RunFlow) -> ResponseHead | ResponseBody | Flow:
    match report:
        case RunBody():
            return ResponseBody(report.invocation, report.data)
        case RunHead():
            return ResponseHead(report.invocation, report.status, report.headers)
        case RunFlow():
            return Flow(report.invocation, report.paused)


def refused(worker: str, message: ToWorker | FromControl, why: Failed) -> Ended | Checked | SandboxDown | None:
    """What is answered to those who ask too late; None: nobody waits."""
    match message:
        case Dispatch():
            return Ended(message.invocation.id, why)
        case Check():
            return Checked(message.id, message.revision, why)
        case StartSandbox():
            return SandboxDown(worker, message.id, why)
        case _:
            return None
