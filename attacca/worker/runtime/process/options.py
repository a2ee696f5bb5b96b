"""What can be set about process sandboxes, read once and checked whole."""

from typing import Annotated, Literal

import msgspec

Megabytes = Annotated[int, msgspec.Meta(ge=1, le=65_536)]


class ProcessOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`isolation` "none" runs functions as plain child processes with no namespaces and no filter: for machines whose
    kernel gives none, and only for code that may do whatever this user may. `memory_limits` "watch" goes on where no
    cgroup holds a sandbox to its memory: then it is looked at from time to time."""

    isolation: str = "process"
    memory_limits: Literal["enforce", "watch"] = "enforce"
    start_timeout_s: Annotated[float, msgspec.Meta(gt=0)] = 30.0  # until the code is imported
    last_words_s: Annotated[float, msgspec.Meta(gt=0)] = 1.0  # more, for it to say where it was, before it is killed
    space_mb: Megabytes = 64  # of /tmp and of /dev/shm each; it counts against the function's memory too
    processes: Annotated[int, msgspec.Meta(ge=4, le=100_000)] = 128  # and threads, in one sandbox
    open_files: Annotated[int, msgspec.Meta(ge=32, le=1_048_576)] = 1024
    max_response_mb: Megabytes = 64  # of an answer that is not streamed
    max_log_kb: Annotated[int, msgspec.Meta(ge=1, le=1_048_576)] = 1024  # of output kept per invocation
    watchdog_s: Annotated[float, msgspec.Meta(gt=0)] = 0.2  # how often memory is looked at where there is no cgroup
    use_cgroups: bool = True  # False watches, too
    is_traced: bool | None = None  # `context.traceparent` also names the trace of what nobody chose; null: as otlp says

    @property
    def must_enforce(self) -> bool:
        return self.memory_limits == "enforce" and self.use_cgroups and self.isolation != "none"
