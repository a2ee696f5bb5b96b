from attacca.worker.runtime.process.weight import Weight


def test_the_machine_is_told_in_powers_of_two_and_only_of_changes() -> None:
    weight, told = Weight(), list[float]()
    weight.tell = told.append
    for cpus in (1.0, 1.0, 1.0, 1.0, 0.5, -0.5, -1.0, -1.0, -1.0, -1.0):
        weight.change(cpus)
    assert told == [1, 2, 4, 8, 4, 2, 1]
    assert repr(weight) == "<Weight 0 processors, told 1>"


def test_without_groups_nobody_is_told() -> None:
    weight = Weight()
    weight.change(3.0)
    assert repr(weight) == "<Weight 3 processors, told 0>"
