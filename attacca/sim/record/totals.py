"""The few numbers that sum a run up."""

import msgspec


class Totals(msgspec.Struct, kw_only=True):
    """Counts are of all invocations, shares and times of those that were due after the warm-up, until their answer."""

    invocations: int = 0  # all of them
    ok: int = 0
    failed: int = 0
    refused: int = 0
    unanswered: int = 0
    cold_share: float = 0.0  # of those that reached a sandbox: it was made for them, from a template or from nothing
    template_share: float = 0.0
    mean_ms: float = 0.0
    p50_ms: float = 0.0
    p90_ms: float = 0.0
    p99_ms: float = 0.0
    max_ms: float = 0.0
