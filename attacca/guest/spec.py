"""What a sandbox's agent is told of the function that it serves, by whatever made the sandbox."""

from typing import TypedDict


class AgentSpec(TypedDict):
    """Of one sandbox, or of a template and all that are forked from it."""

    function: str
    runtime: str  # of model.function.RuntimeKind
    revision: int
    handler: str  # "module:attribute", or empty: find it
    signature: str  # of model.function.Signature, or empty: find it
    event: str  # of model.function.EventShape, or empty: find it
    import_s: float  # how long the import may take
    memory_mb: int
    timeout_s: float
    concurrency: int
    max_body: int  # bytes of an answer
    max_log: int  # bytes of output kept per invocation
    is_traced: bool  # somebody traces invocations, by rate
