import pytest

from attacca.model.function import RuntimeKind, Settings
from attacca.model.publishing import Published, parse
from tests.cases import each


def test_an_entry_names_two_ports() -> None:
    assert parse("15432:5432") == parse("15432:5432/tcp") == Published(15432, 5432)
    assert Settings(name="f", publish=("5353:53", "5353:53/udp")).publish == ("5353:53", "5353:53/udp")
    assert parse("5353:53/udp") == Published(5353, 53, is_udp=True)


@each(
    "publish, why",
    [
        (("5432",), "'5432' is no PORT_OF_THE_MACHINE:PORT"),
        (("0.0.0.0:5432:5432",), "is no PORT_OF_THE_MACHINE:PORT"),
        (("5432:5432\n",), "is no PORT_OF_THE_MACHINE:PORT"),
        (("5353:53/sctp",), "is no PORT_OF_THE_MACHINE:PORT"),
        (("5353:53/udp", "5353:54/udp"), "port 5353 of the machine is there twice"),
        (("80:80",), "80 is not a port from 1024 to 65535"),
        (("70000:80",), "70000 is not a port from 1024"),
        (("8080:0",), "0 is not a port"),
        (("8081:80", "8081:81"), "port 8081 of the machine is there twice"),
        (tuple(f"{port}:80" for port in range(2000, 2017)), "17 entries, and may have 16"),
    ],
)
def test_what_is_wrong_is_said(publish: tuple[str, ...], why: str) -> None:
    with pytest.raises(ValueError, match="publish") as caught:
        Settings(name="f", publish=publish)
    assert why in str(caught.value)


def test_only_containers_have_ports() -> None:
    with pytest.raises(ValueError, match='leave it out, or runtime = "process"'):
        Settings(name="f", publish=("8081:80",), runtime=RuntimeKind.PROCESS)
    assert Settings(name="f", publish=("8081:80",), runtime=RuntimeKind.CONTAINER).publish == ("8081:80",)
