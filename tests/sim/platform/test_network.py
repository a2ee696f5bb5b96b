from attacca.load.workload.scenario import Distribution, Hardware
from attacca.sim.engine import Engine
from attacca.sim.platform.network import Channel


def road(hardware: Hardware) -> tuple[Engine, Channel, list[tuple[float, object]]]:
    engine, came = Engine(), list[tuple[float, object]]()
    return engine, Channel(engine, hardware, 1, "down", lambda message: came.append((engine.now, message))), came


def test_without_delay_a_message_is_there_in_the_same_moment() -> None:
    engine, one, came = road(Hardware())
    one.send("a", 0)
    assert came == [(0.0, "a")]
    assert engine.waiting == 0


def test_jitter_never_lets_one_overtake_another() -> None:
    engine, one, came = road(Hardware(network=Distribution(kind="exponential", mean_ms=100)))
    for number in range(50):
        engine.at(number / 100, lambda number: one.send(number, number), number)
    engine.run()
    assert [message for _, message in came] == list(range(50))
    assert came == sorted(came)


def test_a_late_message_holds_up_those_behind_it() -> None:
    engine, one, came = road(Hardware())
    one.late_next_s = 2.0
    one.look()
    one.send("late", 0)
    one.send("behind", 1)
    engine.run()
    one.send("later", 2)
    assert came == [(2.0, "late"), (2.0, "behind"), (2.0, "later")]
    assert one.is_quick


def test_what_is_lost_is_counted() -> None:
    _, one, came = road(Hardware())
    one.lose_next = 1
    one.look()
    for number in range(3):
        one.send(number, number)
    one.cuts = 1
    one.look()
    one.send(3, 3)
    assert [message for _, message in came] == [1, 2]
    assert one.lost == 2


def test_loss_takes_its_share() -> None:
    engine, one, came = road(Hardware(network_loss=0.25))
    for number in range(2000):
        one.send(number, number)
    engine.run()
    assert 0.2 < one.lost / 2000 < 0.3
    assert len(came) + one.lost == 2000
