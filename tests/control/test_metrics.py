from attacca.control.metrics import render
from attacca.model.messages import GatewayJoined
from tests.control.stage import Stage


def test_what_control_knows_is_on_its_page() -> None:
    stage = Stage(workers=("w1", "w2"))
    stage.feed(GatewayJoined("g1"))
    page = render(stage.core).decode()
    for line in ("attacca_control_workers 2.0", "attacca_control_gateways 1.0", "attacca_control_functions 0.0"):
        assert line in page
