from attacca.lab.body import calibrate, hold, main, spin


def test_it_is_busy_for_about_as_long_as_it_was_asked_to() -> None:
    per_ms = calibrate()
    spent = sorted(main({"ms": 5.0, "per_ms": per_ms, "kind": "busy"})["cpu_s"] for _ in range(7))
    assert 0.002 < spent[3] < 0.02


def test_it_says_how_fast_it_is() -> None:
    assert main({"calibrate": True})["per_ms"] > 100


def test_it_holds_what_it_was_told_to() -> None:
    assert len(hold(2)) == 2 * 1024 * 1024
    assert main({"ms": 0, "per_ms": 1, "kind": "memory", "mb": 1})["cpu_s"] < 1


def test_writing_for_no_time_ends() -> None:
    assert main({"ms": 0.0, "kind": "io"})["cpu_s"] < 1


def test_the_loop_counts_its_turns() -> None:
    assert spin(0) == 1
    assert spin(3) == spin(3) != spin(2)
