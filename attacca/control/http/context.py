"""What every handler of the admin API works with."""

import asyncio
from collections.abc import Callable
from typing import Any

from litestar.di import NamedDependency

from attacca.control.driver import Control
from attacca.control.http.authorization import Observe
from attacca.control.looking import Looking
from attacca.control.watching import Watching
from attacca.model.overview import Overview


class ApiContext:
    def __init__(self, control: Control, observe: Observe) -> None:
        self.control = control
        self.observe = observe
        self.watching = Watching(self.look, asyncio.sleep, lambda: not control.core.changes.is_open)
        self._looking = Looking()

    def __repr__(self) -> str:
        return f"<ApiContext of {self.control!r}>"

    async def look(self) -> Overview:
        """What all planes do now."""
        told, core = await self.control.views.history(), self.control.core
        workers = [(one.name, one.is_silent, one.is_draining) for one in core.workers.by_name.values()]
        return await self._looking.look(told, workers, core.gateways.by_name)


TheContext = NamedDependency[ApiContext]


def giving(value: Any) -> Callable[[], Any]:
    """A provider of what is there already."""
    return lambda: value
