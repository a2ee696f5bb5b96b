"""Principal components, as the example of an accelerator computes them without one."""

import json
from pathlib import Path

import numpy as np

from examples.gpu import main as example

INPUT = Path(example.__file__).parent / "input" / "flowers.json"


def test_its_input_has_one_large_component_and_is_computed_on_the_processor() -> None:
    answer = example.main(json.loads(INPUT.read_text()))
    assert answer["where"] == "cpu"
    assert answer["explained"][0] > 0.9
    first, second = (np.asarray(one) for one in answer["components"])
    assert abs(first @ second) < 1e-9
    assert abs(first @ first - 1) < 1e-9


def test_made_up_data_is_the_same_each_time_and_bounded() -> None:
    shape = {"shape": [50, 4], "seed": 3}
    one, other = (example.main(shape) for _ in range(2))
    assert one["components"] == other["components"]
    for wrong in ({"shape": [0, 1]}, {"shape": [10_000, 10_000]}, {}, {"rows": [[1], [2, 3]]}, {"rows": [1.0]}):
        assert example.main(wrong)["statusCode"] == 422
