"""One file for each door. A door is imported when somebody goes there: some bring much with them."""

from importlib import import_module

from tests.fuzz.door import Door

PURE = (
    "http",
    "later",
    "answers",
    "archives",
    "zips",
    "requirements",
    "settings",
    "catalogue",
    "frames",
    "uploads",
    "traces",
    "links",
    "intents",
    "edgeless",
    "modules",
    "layers",
    "names",
    "watched",
)
LIVE = ("packets", "admin")  # with processes and sockets
NAMES = (*PURE, *LIVE)


def make(name: str) -> Door:
    module = import_module(f"tests.fuzz.doors.{name}")
    kinds = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Door)]
    return next(kind for kind in kinds if "name" in vars(kind) and kind.name == name)()
