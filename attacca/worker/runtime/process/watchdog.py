"""Where there is no cgroup: a look, from time to time, at what every sandbox holds."""

import asyncio
from collections.abc import Callable, Iterable

from attacca.worker.host import watch
from attacca.worker.runtime.process import family
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.sandbox import Sandbox
from attacca.worker.runtime.process.template import Template


async def look_at(everyone: Callable[[], Iterable[Sandbox | Template]], options: ProcessOptions) -> None:
    """Ends those that hold too much, until it is cancelled."""
    while True:
        await asyncio.sleep(options.watchdog_s)
        alive = {made.body.pid: made for made in everyone() if made.body.pid > 0}
        limits = {pid: _limit(made, options.processes) for pid, made in alive.items()}
        for pid, found in (await asyncio.to_thread(watch.over, limits)).items():
            alive[pid].body.is_over_memory = found.is_memory
            alive[pid].body.kill(found.why)


def _limit(made: Sandbox | Template, processes: int) -> watch.Limit:
    memory_mb = made.revision.settings.memory_mb
    if isinstance(made, Template):  # with it counts what minds it, and its sandboxes
        ours = family.ours(made.alive)
        return watch.Limit((memory_mb + ours.memory_mb) << 10, processes + ours.processes)
    return watch.Limit(memory_mb << 10, processes)
