"""The resources of a node: built in, or installed by others as entry points of `attacca.workflow.resources`."""

from importlib.metadata import entry_points
from pathlib import Path
from typing import cast

from attacca.errors import BadConfig, NotFound
from attacca.kernel.clock import Clock
from attacca.workflow.config import ResourceConfig
from attacca.workflow.resources import RESOURCES
from attacca.workflow.resources.reach import Reach
from attacca.workflow.resources.runtime import ResourceRuntime
from attacca.workflow.resources.types import Resource

GROUP = "attacca.workflow.resources"


class Classes:
    """By name. A stranger's is loaded when it is asked for."""

    def __init__(self, offered: tuple[str, ...] = ()) -> None:
        self._strangers = {point.name: point for point in entry_points(group=GROUP)}
        known = {**self._strangers, **RESOURCES}
        self._offered = [name for name in sorted(known) if not offered or name in offered]

    def __repr__(self) -> str:
        return f"<Classes {len(self._offered)} offered>"

    def names(self) -> list[str]:
        return self._offered

    def find(self, name: str) -> type[Resource]:
        """
        Raises:
            NotFound: it is not offered here.
            BadConfig: it cannot be loaded.
        """
        if name not in self._offered:
            hint = f"this node has {', '.join(self._offered)}"
            raise NotFound(f"there is no resource of the class {name[:80]!r}", hint)
        if name in RESOURCES:
            return RESOURCES[name]
        try:
            return cast("type[Resource]", self._strangers[name].load())
        except (ImportError, AttributeError) as error:
            raise BadConfig(f"the resource {name} cannot be loaded: {error}", "install it anew") from error


def made(config: ResourceConfig, directory: Path, clock: Clock) -> ResourceRuntime:
    """`directory`: where files are unless the settings say otherwise."""
    reach = Reach(tuple(host.lower() for host in config.hosts), config.only_hosts)
    files = Path(config.directory).expanduser() if config.directory else directory
    return ResourceRuntime(Classes(config.classes).find, files, clock, reach)
