"""What the metrics page says of intents."""

from attacca.workflow.core.state import Counts
from attacca.workflow.metrics import render


def test_intents_are_counted_and_the_refused_by_why() -> None:
    page = render(Counts(3, 2, 4, {"cordoned": 3, "malformed": 1})).decode()
    said = [line for line in page.splitlines() if not line.startswith("#")]
    assert said == [
        'attacca_intents_total{outcome="done"} 3.0',
        'attacca_intents_total{outcome="nothing"} 2.0',
        'attacca_intents_total{outcome="refused"} 4.0',
        'attacca_intents_refused_total{reason="cordoned"} 3.0',
        'attacca_intents_refused_total{reason="malformed"} 1.0',
    ]
