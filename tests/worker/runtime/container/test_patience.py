from attacca.worker.runtime.container.patience import FRESH_S, MOST_KNOWN, MOST_S, Patience, pause_s


def test_looks_are_the_more_seldom_the_longer_it_has_been() -> None:
    assert [pause_s(passed) for passed in (0.0, 0.016, 0.16, 0.8, 60.0)] == [0.001, 0.001, 0.01, MOST_S, MOST_S]


def test_half_of_what_the_last_took_is_waited_for_the_next_in_a_hurry() -> None:
    patience = Patience()
    assert patience.quiet_s("box:1", 10.0) == 0.0
    patience.took("box:1", 10.0, 0.2)
    assert patience.quiet_s("box:1", 10.0 + FRESH_S) == 0.1
    assert patience.quiet_s("box:2", 10.0) == 0.0
    patience.took("box:1", 10.5, 0.05)
    assert patience.quiet_s("box:1", 10.5) == 0.025


def test_one_that_comes_later_is_looked_for_at_once() -> None:
    patience = Patience()
    patience.took("box:1", 10.0, 0.2)
    assert patience.quiet_s("box:1", 10.001 + FRESH_S) == 0.0


def test_nobody_remembers_without_end() -> None:
    patience = Patience()
    for number in range(MOST_KNOWN + 1):
        patience.took(f"box:{number}", 1.0, 0.2)
    assert repr(patience) == "<Patience with 1>"
