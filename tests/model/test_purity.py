"""What a pure function may say."""

import msgspec
import pytest

from attacca.model.function import Settings
from tests.cases import each


def test_a_pure_function_says_little() -> None:
    assert Settings(name="f", pure=True, memory_mb=64, timeout_s=1.0, max_sandboxes=3).pure
    assert not Settings(name="f").pure


@each(
    "said, why",
    [
        ({"runtime": "process"}, 'does not go with runtime = "process"'),
        ({"env": {"A": "b"}}, "leave out env"),
        ({"secrets": {"a": "env"}}, "leave out secrets"),
        ({"gpu": 1.0}, "leave out gpu"),
        ({"network": "host"}, "leave out network"),
        ({"concurrency": 2}, "leave out concurrency"),
        ({"scheduling": "cluster"}, 'needs scheduling = "worker"'),
    ],
)
def test_what_it_could_not_keep_is_refused(said: dict[str, object], why: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=why):
        msgspec.convert({"name": "f", "pure": True, **said}, Settings)
    msgspec.convert({"name": "f", **said}, Settings)
