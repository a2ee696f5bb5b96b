"""The `context` argument of a handler, with the attributes that Lambda's has."""

import os
import time


class Function:
    """What does not change between invocations."""

    def __init__(self, name: str, revision: int, memory_mb: int, timeout_s: float, *, is_traced: bool = False) -> None:
        """`is_traced`: somebody traces some of its invocations, and may look for what it says of others."""
        self.name, self.revision, self.memory_mb, self.timeout_s = name, revision, memory_mb, timeout_s
        self.is_traced = is_traced
        self.arn = f"arn:attacca:lambda:local:000000000000:function:{name}:{revision}"


class Context:
    """One invocation, as its handler sees it."""

    identity = None
    client_context = None

    def __init__(self, function: Function, request_id: str, traceparent: str = "") -> None:
        self._function = function
        self._began = time.monotonic()
        self.aws_request_id = request_id
        self._traceparent = traceparent

    @property
    def traceparent(self) -> str:
        """W3C's, of the span that runs it; empty: nobody traces it."""
        if self._traceparent or not self._function.is_traced:
            return self._traceparent
        return own(self.aws_request_id)

    @property
    def function_name(self) -> str:
        return self._function.name

    @property
    def function_version(self) -> str:
        return str(self._function.revision)

    @property
    def invoked_function_arn(self) -> str:
        return self._function.arn

    @property
    def memory_limit_in_mb(self) -> str:
        return str(self._function.memory_mb)

    @property
    def log_group_name(self) -> str:
        return f"/attacca/{self._function.name}"

    @property
    def log_stream_name(self) -> str:
        return f"{self._function.name}@{self._function.revision}"

    @property
    def hostname(self) -> str:  # as OpenFaaS has it
        return os.uname().nodename

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._began + self._function.timeout_s - time.monotonic()) * 1000))


def own(invocation: str) -> str:
    """Of the trace that it begins, which nobody has chosen: what the gateway would call it, for the few who ask."""
    from hashlib import blake2b  # here, because most functions do without
    from zlib import crc32

    name = invocation.encode("utf-8", "replace")
    digits = blake2b(name, digest_size=20, person=b"attacca trace").hexdigest()
    mixed = crc32(name) * 0x1B873593 & 0xFFFFFFFF
    return f"00-{digits[:18]}{mixed ^ mixed >> 15:08x}{digits[18:24]}-{digits[24:]}-00"
