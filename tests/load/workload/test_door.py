"""What no run could make sense of is refused when the file is read."""

import msgspec
import pytest

from attacca.load.workload.scenario import Scenario


@pytest.mark.parametrize(
    "nonsense",
    [
        "[hardware]\nsandbox = { kind = 'uniform', low_ms = 5, high_ms = 1 }",
        "[hardware]\nsandbox = { kind = 'bounded_pareto', mean_ms = 5 }",
        "[hardware]\nimports = { kind = 'empirical' }",
        "[hardware]\nnetwork = { mean_ms = inf }",
        "[[faults]]\nkind = 'worker_crash'",
        "[[faults]]\nkind = 'worker_crash'\nrate = inf",
        "[[faults]]\nkind = 'worker_crash'\nat_s = 1\nworker = 7",
        "[[faults]]\nkind = 'worker_crash'\nat_s = 1\nworker = -1",
        "[[functions]]\nname = 'g'\nshape = { rate = inf }",
    ],
)
def test_nonsense_is_refused_at_the_door(nonsense: str) -> None:
    text = f"name = 'n'\n[workload]\nduration_s = 5\n[[functions]]\nname = 'f'\n{nonsense}\n"
    with pytest.raises(msgspec.ValidationError):
        msgspec.toml.decode(text.encode(), type=Scenario)
