import pytest

from attacca.cli.functions.scale import asked, words
from attacca.errors import BadConfig


def test_only_what_is_named_is_asked_for() -> None:
    assert asked(1, 20, "knative", 2.0, ["stable_s=30"], None, no_most=False) == {
        "min_sandboxes": 1,
        "max_sandboxes": 20,
        "scaling": {"policy": "knative", "target": 2.0, "stable_s": 30},
    }
    assert asked(0, None, None, None, [], "", no_most=True) == {
        "min_sandboxes": 0,
        "placement": "",
        "max_sandboxes": None,
    }


def test_nothing_and_opposites_are_refused() -> None:
    with pytest.raises(BadConfig, match="nothing is to change"):
        asked(None, None, None, None, [], None, no_most=False)
    with pytest.raises(BadConfig, match="opposites"):
        asked(None, 3, None, None, [], None, no_most=True)


def test_what_is_in_force_is_said() -> None:
    now = {"scheduling": "worker", "min_sandboxes": 1, "max_sandboxes": None, "scaling": {}, "placement": ""}
    assert words(now) == "1 sandboxes at least, any number at most"
    now |= {"scheduling": "cluster", "max_sandboxes": 9, "scaling": {"policy": "knative", "target": 2}}
    assert words(now) == "1 sandboxes at least, 9 at most, by knative (target 2)"
    assert words({**now, "placement": "random", "scaling": {}}).endswith(
        "by the policy of the server, placed by random"
    )
