"""A function that may run with a device or without one is two on its worker: itself, and a twin that has the device.

Each has sandboxes, a line and figures of its own, since their times have nothing to do with each other. The twin has
the function's name with a mark that no name can have. It comes and goes with its revision.
"""

from collections.abc import Mapping, MutableMapping

from msgspec.structs import replace

from attacca.model.accelerators import Compute
from attacca.worker.core.devices import Devices
from attacca.worker.core.state import Function, RevisionState

MARK = "/gpu"


def is_one(function: str) -> bool:
    return function.endswith(MARK)


def made(
    state: RevisionState, functions: MutableMapping[str, Function], devices: Devices | None
) -> RevisionState | None:
    """None: it is no such function, or here is no device that could ever take it."""
    settings = state.revision.settings
    if devices is None or not settings.is_either or not devices.could(settings.on(Compute.GPU).resources):
        return None
    name = state.function.name + MARK
    function = functions.get(name)
    if function is None:
        function = functions[name] = Function(name)
    revision = replace(state.revision, settings=replace(settings.on(Compute.GPU), min_sandboxes=0))
    twin = RevisionState(revision, function)
    twin.key = state.key + MARK
    twin.is_twin = True
    function.states.append(twin)
    function.current = twin
    return twin


def original(twin: RevisionState, states: Mapping[str, RevisionState]) -> RevisionState | None:
    """Whose twin it is; None: it is none."""
    return states.get(twin.key.removesuffix(MARK)) if twin.is_twin else None


def part(twin: RevisionState) -> None:
    """It is not current any more; another one may be already."""
    if twin.function.current is twin:
        twin.function.current = None


def renew(
    state: RevisionState, functions: MutableMapping[str, Function], states: MutableMapping[str, RevisionState]
) -> None:
    """It is current again, or scaled otherwise. The twin may have gone meanwhile, if nothing of it was busy."""
    twin, settings = state.device_twin, state.revision.settings
    if twin is None:
        return
    twin.retired = False
    twin.revision = replace(state.revision, settings=replace(settings.on(Compute.GPU), min_sandboxes=0))
    function = functions.setdefault(twin.function.name, twin.function)
    twin.function = function
    function.current = states[twin.key] = twin
    if twin not in function.states:
        function.states.append(twin)
