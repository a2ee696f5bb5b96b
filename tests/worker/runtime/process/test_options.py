"""When a server must not start without cgroups."""

import pytest

from attacca.worker.runtime.process.options import ProcessOptions


def test_memory_is_enforced_unless_somebody_says_otherwise() -> None:
    assert ProcessOptions().must_enforce


@pytest.mark.parametrize(
    "options",
    [
        ProcessOptions(memory_limits="watch"),
        ProcessOptions(use_cgroups=False),
        ProcessOptions(isolation="none"),
    ],
)
def test_who_says_so_goes_on_without(options: ProcessOptions) -> None:
    assert not options.must_enforce
