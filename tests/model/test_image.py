import msgspec
import pytest

from attacca.errors import BadFunction
from attacca.model.image import ImageConfig
from tests.cases import each


def read(text: str) -> ImageConfig:
    return msgspec.json.decode(text, type=ImageConfig)


@each(
    "text, command",
    [
        ('{"Entrypoint": ["/bin/app"], "Cmd": ["--port", "80"]}', ("/bin/app", "--port", "80")),
        ('{"Entrypoint": null, "Cmd": ["/bin/app"], "Unknown": {"is": "left out"}}', ("/bin/app",)),
        ('{"Entrypoint": ["/bin/app"]}', ("/bin/app",)),
    ],
)
def test_what_runs(text: str, command: tuple[str, ...]) -> None:
    assert read(text).command == command


def test_an_image_without_a_program_says_what_it_lacks() -> None:
    with pytest.raises(BadFunction, match="no program"):
        read('{"Cmd": []}').command  # noqa: B018 - it is asked


def test_its_environment_and_ports_are_read_as_they_were_meant() -> None:
    config = read(
        '{"Env": ["A=1", "B=x=y", "A=2", "=z"], "ExposedPorts": {"9000/tcp": {}, "80": {}, "53/udp": {}, "0/tcp": {}}}'
    )
    assert config.variables == {"A": "2", "B": "x=y"}
    assert config.ports == (80, 9000)
    assert read("{}").variables == {}
    assert read("{}").ports == ()
