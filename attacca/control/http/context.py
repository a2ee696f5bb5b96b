"""What every handler of the admin API works with."""

from collections.abc import Callable
from typing import Any

from litestar.di import NamedDependency

from attacca.control.driver import Control
from attacca.control.http.authorization import Observe


class ApiContext:
    def __init__(self, control: Control, observe: Observe) -> None:
        self.control = control
        self.observe = observe

    def __repr__(self) -> str:
        return f"<ApiContext of {self.control!r}>"


TheContext = NamedDependency[ApiContext]


def giving(value: Any) -> Callable[[], Any]:
    """A provider of what is there already."""
    return lambda: value
