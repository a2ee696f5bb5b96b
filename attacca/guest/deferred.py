"""Parts of the guest that only some functions need: read before the first fork, executed when first asked for.

A sandbox does not see our files, so what is not imported in time has to be carried along; and what is imported in the
zygote makes every fork dearer. The event loop with its TLS library is such a part.
"""

import importlib.util
import sys
from types import CodeType, ModuleType
from typing import Any

PACKAGE = __name__.rpartition(".")[0]


def _read(name: str) -> CodeType:
    spec = importlib.util.find_spec(f"{PACKAGE}.{name}")
    assert spec is not None
    loader: Any = spec.loader
    code: CodeType = loader.get_code(spec.name)
    return code


NEEDS = {  # what of these each imports
    "link": (),
    "loops": (),
    "values": (),
    "results": (),
    "pieces": (),
    "events": (),
    "exchange": (),
    "asgi": ("link", "loops", "exchange"),
    "wsgi": ("pieces",),
    "web": ("events",),
    "instance": (),
    "runtime_api": (),
    "proxy": (),
    "program": ("runtime_api",),
}
_CODE = {name: _read(name) for name in NEEDS}


def load(name: str) -> Any:
    """The module, executed now if it has not been, after those that it needs."""
    whole = f"{PACKAGE}.{name}"
    if whole not in sys.modules:
        for part in NEEDS[name]:
            load(part)
        module = ModuleType(whole)
        exec(_CODE[name], module.__dict__)  # noqa: S102 - it is our own file
        sys.modules[whole] = module
    return sys.modules[whole]
