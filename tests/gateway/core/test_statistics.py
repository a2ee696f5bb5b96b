from attacca.gateway.core.statistics import Statistics


def test_they_say_how_many() -> None:
    statistics = Statistics()
    statistics.taken = 3
    statistics.ended["warm"] = 2
    statistics.refuse("queue_full")
    statistics.duration.add(0.25)
    statistics.duration.add(0.5)
    assert repr(statistics) == "<Statistics 3 taken, 2 ended, 1 refused>"
    assert repr(statistics.duration) == "<Histogram 2 values, 0.75 s together>"
