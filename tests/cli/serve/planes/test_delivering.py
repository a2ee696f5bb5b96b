"""What was sent, and what was lost on the way, stands on the page."""

from attacca.cli.serve.planes.delivering import Deliveries
from attacca.io.exposition import Form
from attacca.io.posting import Posted
from attacca.io.shipping import Shipper, ShippingLimits

LIMITS = ShippingLimits(held=2, batch=2)


def test_what_is_sent_held_and_dropped_is_told_by_what_it_is() -> None:
    deliveries = Deliveries()
    assert (deliveries.metrics(Form.TEXT)(), repr(deliveries)) == (b"", "<Deliveries of nothing>")
    for what in ("points", "points", "traces"):
        shipper: Shipper[int] = Shipper("x", lambda _: Posted(400, b""), LIMITS)
        for number in range(3):
            shipper.put(number)
        assert shipper._ship_one([4, 5, 6])
        deliveries.add(what, shipper)
    lines = deliveries.metrics(Form.TEXT)().decode().splitlines()
    assert [line for line in lines if line[0] != "#"] == [
        'attacca_telemetry_sent_total{what="points"} 0.0', 'attacca_telemetry_sent_total{what="traces"} 0.0',
        'attacca_telemetry_dropped_total{what="points"} 8.0', 'attacca_telemetry_dropped_total{what="traces"} 4.0',
        'attacca_telemetry_failures_total{what="points"} 2.0', 'attacca_telemetry_failures_total{what="traces"} 1.0',
        'attacca_telemetry_held{what="points"} 4.0', 'attacca_telemetry_held{what="traces"} 2.0',
    ]  # fmt: skip
    assert repr(deliveries) == "<Deliveries of points, traces>"
