"""What a host is told with its INIT."""

import struct

from attacca.model.function import Settings

ENVELOPE = struct.Struct("<BQdBI")  # as host/main.py has it
RUN, COMPILE, PREPARE, COMPILE_FUNCTION, COMPILE_PURE = 0, 1, 2, 3, 4
OWN_MB = 16  # of an instance's memory, for its host


def enveloped(task: int, settings: Settings, payload: bytes | None, module: bytes) -> bytes:
    memory = max(settings.memory_mb - OWN_MB, 1) << 20
    head = ENVELOPE.pack(task, memory, settings.timeout_s, payload is not None, len(payload or b""))
    return b"".join((head, payload or b"", module))


def to_compile(module: bytes, task: int = COMPILE) -> bytes:
    return ENVELOPE.pack(task, 0, 0.0, 0, 0) + module
