from attacca.model.machine import Device, Machine, Needs, unable
from tests.cases import each

HERE = Machine(networks={"a directory of Python": ("host", "nat", "none"), "an image": ("host", "none")})

TWO = Machine(devices=(Device(name="0"), Device(name="1")))


@each(
    "machine, needs, why",
    [
        (HERE, ("a directory of Python", "nat", 0.0), ""),
        (HERE, ("an image", "none", 0.0), ""),
        (HERE, ("an image", "nat", 0.0), 'it gives an image no network = "nat"'),
        (HERE, ("an executable", "none", 0.0), "it does not run an executable"),
        (Machine(networks={}), ("an image", "none", 0.0), "it does not run an image"),
        (Machine(), ("an image", "nat", 0.0), ""),
        (None, ("an image", "nat", 0.0), ""),
        (TWO, ("an image", "none", 2.0), ""),
        (TWO, ("an image", "none", 3.0), "it has 2 accelerators, and 3 are asked for"),
        (Machine(devices=()), ("an image", "none", 0.5), "it has 0 accelerators, and 0.5 are asked for"),
        (HERE, ("an image", "none", 0.5), ""),
    ],
)
def test_what_a_machine_has_said_it_lacks(machine: Machine | None, needs: Needs, why: str) -> None:
    assert unable(machine, needs) == why
