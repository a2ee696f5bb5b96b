from attacca.io.wire.pressure import Pressure


def test_a_stream_waits_for_its_reader_and_for_the_link_to_it() -> None:
    told: list[tuple[str, bool]] = []
    pressure = Pressure(lambda stream, paused: told.append((stream, paused)))
    pressure.ask("p", "a", paused=True)
    pressure.press("p", ["a", "b"], is_slow=True)
    assert told == [("a", True), ("b", True)]
    assert repr(pressure) == "<Pressure 1 streams with slow readers, 1 full links>"
    pressure.begin("p", "c")
    pressure.begin("q", "d")
    pressure.ask("p", "a", paused=False)
    pressure.ask("p", "b", paused=True)
    assert told[2:] == [("c", True)]
    pressure.press("p", ["a", "b", "c"], is_slow=False)
    assert told[3:] == [("a", False), ("c", False)]
    pressure.ask("p", "b", paused=False)
    assert told[5:] == [("b", False)]


def test_a_peer_that_comes_anew_is_not_full() -> None:
    told: list[tuple[str, bool]] = []
    pressure = Pressure(lambda stream, paused: told.append((stream, paused)))
    pressure.press("p", [], is_slow=True)
    pressure.lose("p")
    pressure.begin("p", "a")
    assert told == []
