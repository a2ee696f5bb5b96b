from attacca.cli.screens.graph import drawn

NAMES = {"tick": False, "count": False, "other": False, "log": True}


def test_each_component_is_drawn_once_below_what_sends_to_it() -> None:
    edges = [("tick", "to", "count"), ("tick", "also", "other"), ("count", "out", "log"), ("other", "out", "log")]
    assert drawn(NAMES, edges) == [
        "(tick)",
        "├─to─▶ (count)",
        "│ └─out─▶ [log]",
        "└─also─▶ (other)",
        "  └─out─▶ [log] ↑",
    ]


def test_a_ring_and_what_stands_alone_are_drawn_too_and_without_unicode() -> None:
    edges = [("tick", "to", "count"), ("count", "back", "tick"), ("count", "self", "count")]
    assert drawn(NAMES, edges, "ascii") == [
        "(other)",
        "[log]",
        "(tick)",
        "`-to-> (count)",
        "  |-back-> (tick) ^",
        "  `-self-> (count) ^",
    ]
