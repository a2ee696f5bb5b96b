from collections.abc import Iterator

from attacca.io.posting import Posted, Silent
from attacca.io.shipping import Shipper, ShippingLimits

QUICK = ShippingLimits(held=4, batch=2, tries=3, pause_s=1e-9, pause_most_s=1e-9)


class Receiver:
    """Answers what it is told to, and then takes everything."""

    def __init__(self, *answers: Posted | Exception) -> None:
        self.got: list[list[int]] = []
        self._answers: Iterator[Posted | Exception] = iter(answers)

    def take(self, batch: list[int]) -> Posted:
        answer = next(self._answers, Posted(204, b""))
        if isinstance(answer, Exception):
            raise answer
        if answer.status < 300:
            self.got.append(batch)
        return answer


def test_what_finds_no_room_is_dropped_and_counted() -> None:
    shipper = Shipper("nobody", Receiver().take, QUICK)
    for number in range(10):
        shipper.put(number)
    assert repr(shipper) == "<Shipper to nobody: 4 held, 0 sent, 6 dropped>"


def test_who_is_busy_is_asked_again_and_who_refuses_is_not() -> None:
    busy = Receiver(Posted(429, b"", 0.0), Silent("x", "gone"))
    shipper = Shipper("busy", busy.take, QUICK)
    assert shipper._ship_one([1, 2])
    assert (busy.got, shipper.failures, shipper.sent) == ([[1, 2]], 2, 2)
    refuses = Receiver(Posted(400, b"\xff no"))
    shipper = Shipper("refuses", refuses.take, QUICK)
    assert shipper._ship_one([1])
    assert (refuses.got, shipper.dropped, shipper.failures) == ([], 1, 1)


def test_what_is_too_large_at_once_is_sent_in_parts_and_what_is_so_by_itself_is_dropped() -> None:
    class Narrow(Receiver):
        def take(self, batch: list[int]) -> Posted:
            return Posted(413, b"") if len(batch) > 2 or 13 in batch else super().take(batch)

    narrow = Narrow()
    shipper = Shipper("narrow", narrow.take, QUICK)
    assert shipper._ship_one([1, 2, 3, 13, 5])
    assert (narrow.got, shipper.sent, shipper.dropped) == ([[1, 2], [3], [5]], 4, 1)


def test_who_stays_silent_costs_a_batch_and_no_more() -> None:
    gone = Receiver(*[Silent("x", "gone")] * 3)
    shipper = Shipper("gone", gone.take, QUICK)
    assert shipper._ship_one([1])
    assert shipper._ship_one([2])
    assert (gone.got, shipper.dropped) == ([[2]], 1)


def test_a_bug_in_what_is_said_costs_that_batch() -> None:
    shipper = Shipper("x", Receiver(ValueError("odd")).take, QUICK)
    assert shipper._ship_one([1])
    assert (shipper.dropped, shipper.failures) == (1, 1)


def test_one_that_is_closed_tries_once() -> None:
    shipper = Shipper("x", Receiver(Posted(503, b"")).take, QUICK)
    shipper.close()
    assert not shipper._ship_one([1])
    shipper.put(2)
    assert shipper.dropped == 2
