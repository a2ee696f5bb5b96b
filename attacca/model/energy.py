"""What a worker's machine has spent, in joules, and what was reckoned of it to functions and invocations."""

import msgspec


class FunctionEnergy(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Of one function on one worker, in joules since the worker began. `error_j`: so far off may both together be, as
    far as that can be told."""

    function: str
    run_j: float = 0.0  # while invocations of it ran
    kept_j: float = 0.0  # while none did: its sandboxes were made, and kept
    error_j: float = 0.0
    invocations: int = 0  # that ended, and have their part of `run_j`
    mean_j: float = 0.0  # of one of them, of late


class EnergyView(msgspec.Struct, frozen=True, kw_only=True):
    """A machine's energy since its worker began to look, in joules; `watts` of the last look."""

    source: str
    watts: float = 0.0
    idle_w: float = 0.0  # of a machine that does nothing: as it was told, or as it is reckoned
    total_j: float = 0.0
    functions_j: float = 0.0  # of it, reckoned to functions
    other_j: float = 0.0  # of it, what else computed: the platform itself, and other programs
    idle_j: float = 0.0  # of it, the machine's being on, as far as nobody was reckoned for that
    accelerators_w: tuple[float, ...] = ()  # of each, by its number, 0: it does not say; in none of the others
    functions: tuple[FunctionEnergy, ...] = ()


class Reckoned(msgspec.Struct, frozen=True, gc=False):
    """What one invocation has taken, in joules, and how far off that may be."""

    id: str
    joules: float
    error_j: float


class Spent(msgspec.Struct, frozen=True, tag=True, gc=False):
    """Invocations of a worker that have ended have taken so much."""

    worker: str
    of: tuple[Reckoned, ...]
