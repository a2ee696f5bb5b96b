from attacca.worker.host.nat.gate import programs
from tests.cases import each


@each("name", programs.PROGRAMS)
def test_nothing_of_the_machines_is_opened(name: str) -> None:
    told = programs.command(name, f"/usr/bin/{name}")
    assert told[0] == f"/usr/bin/{name}"
    assert sum(programs.GATE in word for word in told) == 2
    if name == "pasta":
        assert "--no-map-gw" in told
        assert all(told[told.index(option) + 1] == "none" for option in ("-t", "-u", "-T", "-U"))
    else:
        assert {"--disable-host-loopback", "--disable-dns"} <= set(told)
