import asyncio

from attacca.cli.serve.planes.led import Led
from attacca.kernel.clock import ManualClock
from attacca.model.messages import Leads


def test_a_control_of_an_earlier_term_is_refused_and_one_that_says_nothing_is_left() -> None:
    async def main() -> None:
        clock, refused, cuts = ManualClock(), list[str](), list[float]()
        led = Led(clock, 3.0, refused.append, lambda: cuts.append(clock.time))
        assert not led.is_obeyed, "nobody has said that it leads"
        led.hear(Leads(2))
        assert led.is_obeyed
        led.lose()
        assert not led.is_obeyed, "another may come by the next link"
        led.hear(Leads(1))
        assert not led.is_obeyed
        assert refused == ["it leads by term 1, and term 2 has begun: another control leads"]
        led.hear(Leads(3))
        clock.time = 2.9
        led._ring()
        assert cuts == []
        clock.time = 3.0
        led._ring()
        assert cuts == [3.0]
        assert repr(led) == "<Led <Terms up to 3, silent at 3>, obeyed=True>"
        led.lose()

    asyncio.run(main())
