from collections.abc import Mapping

import pytest

from attacca.errors import AttaccaError, BadRequest, MethodNotAllowed, NotFound
from attacca.lab.dirigent.form import Asked
from attacca.lab.dirigent.registrar import Asking, answer
from attacca.model.function import Scheduling

FORM = b"name=f&image=i&port_forwarding=80&port_forwarding=tcp"


class Noted:
    """A platform that only remembers."""

    def __init__(self) -> None:
        self.functions: dict[str, Asked] = {}
        self.bounds: dict[str, dict[str, int]] = {}

    def deploy(self, asked: Asked) -> None:
        self.functions[asked.name] = asked

    def rescale(self, function: str, bounds: Mapping[str, int]) -> None:
        self.bounds[function] = dict(bounds)

    def has(self, function: str) -> bool:
        return function in self.functions

    def places(self) -> list[str]:
        return ["10.0.0.1:8080", "10.0.0.2:8080"]


def ask(platform: Noted, method: str, target: str, body: bytes = b"") -> str:
    return answer(platform, method, target, lambda: body, Scheduling.CLUSTER)


def test_a_function_is_registered_and_its_callers_are_told_where() -> None:
    platform = Noted()
    with pytest.raises(NotFound):
        ask(platform, "GET", "/check?name=f")
    for _ in range(2):  # the loader does so at each run
        assert ask(platform, "POST", "/", FORM) == "10.0.0.1:8080;10.0.0.2:8080"
    assert platform.functions["f"].image == "i"
    assert ask(platform, "GET", "/check?name=f") == ask(platform, "GET", "/health") == ""
    ask(platform, "POST", "/patch", b"function=f&scaling_lower_bound=2")
    assert platform.bounds == {"f": {"min_sandboxes": 2}}


@pytest.mark.parametrize(
    ("method", "target", "body", "error"),
    [
        ("POST", "/", b"name=f", BadRequest),
        ("GET", "/", b"", MethodNotAllowed),
        ("POST", "/workflow", b"", NotFound),
        ("GET", "/check", b"", NotFound),
        ("GET", "//[", b"", NotFound),
    ],
)
def test_what_cannot_be_is_refused(method: str, target: str, body: bytes, error: type[AttaccaError]) -> None:
    with pytest.raises(error):
        ask(Noted(), method, target, body)


def test_who_asks_says_whom() -> None:
    asking = Asking.__new__(Asking)
    asking.server = "here"  # type: ignore[assignment]
    assert repr(asking) == "<Asking 'here'>"
