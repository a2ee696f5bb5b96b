from attacca.worker.runtime.process.weight import Weight


def test_the_machine_is_told_in_powers_of_two_and_only_of_changes() -> None:
    weight, told = Weight(64), list[float]()
    weight.tell = told.append
    for cpus in (1.0, 1.0, 1.0, 1.0, 0.5, -0.5, -1.0, -1.0, -1.0, -1.0):
        weight.change(cpus)
    assert told == [1, 2, 4, 8, 4, 2, 1]
    assert repr(weight) == "<Weight 0 processors, told 1>"


def test_without_groups_nobody_is_told() -> None:
    weight = Weight(64)
    weight.change(3.0)
    assert repr(weight) == "<Weight 3 processors, told 0>"


def test_more_than_the_machine_has_is_not_claimed_from_other_programs() -> None:
    weight, told = Weight(4), list[float]()
    weight.tell = told.append
    for _ in range(100):
        weight.change(1.0)
    weight.change(-98.0)
    assert told == [1, 2, 4, 2]
