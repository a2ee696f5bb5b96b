"""What every handler of the admin API works with."""

import asyncio
from collections.abc import Callable
from typing import Any

from litestar.di import NamedDependency

from attacca.control.driver import Control
from attacca.control.http.authorization import Observe
from attacca.control.watching import Watching
from attacca.model.overview import Overview, overview


class ApiContext:
    def __init__(self, control: Control, observe: Observe) -> None:
        self.control = control
        self.observe = observe
        self.watching = Watching(lambda: look(control), asyncio.sleep, lambda: not control.core.changes.is_open)

    def __repr__(self) -> str:
        return f"<ApiContext of {self.control!r}>"


TheContext = NamedDependency[ApiContext]


def giving(value: Any) -> Callable[[], Any]:
    """A provider of what is there already."""
    return lambda: value


async def look(control: Control) -> Overview:
    told, core = await control.views.history(), control.core
    workers = [(one.name, one.is_silent, one.is_draining) for one in core.workers.by_name.values()]
    return overview(told, workers, core.gateways.by_name)
