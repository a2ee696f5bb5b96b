from attacca.model.machine import Machine, unable
from tests.cases import each

HERE = Machine(networks={"a directory of Python": ("host", "nat", "none"), "an image": ("host", "none")})


@each(
    "machine, needs, why",
    [
        (HERE, ("a directory of Python", "nat"), ""),
        (HERE, ("an image", "none"), ""),
        (HERE, ("an image", "nat"), 'it gives an image no network = "nat"'),
        (HERE, ("an executable", "none"), "it does not run an executable"),
        (Machine(networks={}), ("an image", "none"), "it does not run an image"),
        (Machine(), ("an image", "nat"), ""),
        (None, ("an image", "nat"), ""),
    ],
)
def test_what_a_machine_has_said_it_lacks(machine: Machine | None, needs: tuple[str, str], why: str) -> None:
    assert unable(machine, needs) == why
