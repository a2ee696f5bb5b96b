from attacca.lab.ramp import Rung, knee, steps


def rung(clients: int, per_s: float) -> Rung:
    return Rung(clients, per_s, 1.0, 1.0, 1.0, 0)


def test_the_steps_double_and_end_where_they_were_told_to() -> None:
    assert steps(1) == [1]
    assert steps(2) == [1, 2]
    assert steps(8) == [1, 2, 4, 8]
    assert steps(10) == [1, 2, 4, 8, 10]


def test_the_knee_is_where_more_clients_get_no_more_through() -> None:
    assert knee([rung(1, 100), rung(2, 190), rung(4, 195), rung(8, 180)]) == 2
    assert knee([rung(1, 100), rung(2, 200)]) == 2
