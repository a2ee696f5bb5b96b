"""Where there is no cgroup: a look, from time to time, at what every sandbox holds."""

import asyncio
from collections.abc import Callable, Iterable

from attacca.worker.host import watch
from attacca.worker.runtime.process import family
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.sandbox import SandboxProcess
from attacca.worker.runtime.process.template import TemplateProcess


async def look_at(everyone: Callable[[], Iterable[SandboxProcess | TemplateProcess]], options: ProcessOptions) -> None:
    """Ends those that hold too much, until it is cancelled."""
    while True:
        await asyncio.sleep(options.watchdog_s)
        alive = {made.process.pid: made for made in everyone() if made.process.pid > 0}
        limits = {pid: _limit(made, options.processes) for pid, made in alive.items()}
        for pid, found in (await asyncio.to_thread(watch.over, limits)).items():
            alive[pid].process.is_over_memory = found.is_memory
            alive[pid].process.kill(found.why)


def _limit(made: SandboxProcess | TemplateProcess, processes: int) -> watch.Limit:
    memory_mb = made.revision.settings.memory_mb
    if isinstance(made, TemplateProcess):  # with it counts what minds it, and its sandboxes
        ours = family.ours(made.alive)
        return watch.Limit((memory_mb + ours.memory_mb) << 10, processes + ours.processes)
    return watch.Limit(memory_mb << 10, processes)
