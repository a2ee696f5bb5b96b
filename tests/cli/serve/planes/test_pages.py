"""The page of a server that is all planes has what each of them has on its own."""

from collections.abc import Callable

from attacca.cli.serve.planes.delivering import Deliveries
from attacca.cli.serve.planes.pages import GatewayPage, NodePage
from attacca.io.exposition import Form, whole
from attacca.kernel.clock import SystemClock
from attacca.kernel.rand import Streams
from attacca.worker.config import WorkerConfig
from attacca.worker.driver import Worker
from attacca.worker.runtime.scripted import ScriptedMachine, Times
from attacca.worker.runtime.simulated import SimulatedRuntime


class OfGateway:
    is_draining, has_all = False, True

    def metrics(self, _: Form) -> Callable[[], bytes]:
        return lambda: b"# TYPE faas_invocations counter\nfaas_invocations_total 3.0\n"


def test_the_worker_s_page_is_below_the_gateway_s() -> None:
    clock = SystemClock()
    runtime = SimulatedRuntime(ScriptedMachine(clock, Times(), on_loop=True))
    worker = Worker(WorkerConfig(), runtime, clock, Streams(1), lambda _, __: None, lambda _: None)
    shown = GatewayPage(OfGateway(), NodePage(worker).metrics, Deliveries().metrics)
    page = whole(shown.metrics(Form.TEXT)(), Form.TEXT).decode()
    assert page.index("faas_invocations_total 3.0") < page.index("attacca_worker_running 0.0")
    types = [line for line in page.splitlines() if line.startswith("# TYPE")]
    assert len(types) == len(set(types))
    assert (shown.is_draining, shown.has_all) == (False, True)
