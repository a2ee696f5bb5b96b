from attacca.cli.serve.planes.steering import Shared, Step, program


def taken(steps: list[Step], number: int) -> int:
    """What the kernel's machine answers when this is the random number."""
    a = at = 0
    while True:
        code, if_so, if_not, k = steps[at]
        at += 1
        if code == 0x06:
            return k
        if code == 0x20:
            a = number
        elif code == 0x94:
            a %= k
        else:
            at += if_so if a == k else if_not


def test_each_that_is_there_gets_its_part_and_who_is_away_gets_nothing() -> None:
    for places in ([0], [0, 1], [1], [0, 2, 5]):
        assert [taken(program(places), number) for number in range(len(places))] == places


def test_it_says_how_many_are_away() -> None:
    assert repr(Shared([])) == "<Shared 0 sockets, 0 away>"
