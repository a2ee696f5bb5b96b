"""What the three clocks say when they fire: which one, its value, and where it is set."""

from attacca.gateway.core.deadlines import ClockName, Expired
from attacca.model.invocation import Failed


def timed_out(function: str, expired: Expired) -> Failed:
    value = f"{expired.duration_s:g}"
    match expired.clock:
        case ClockName.WAIT:
            message = f"no sandbox took {function!r} within {value} s of its arrival (clock wait_s = {value})"
            hint = "raise wait_s in its function.toml; `attacca top` shows who holds sandboxes and memory"
        case ClockName.FIRST_BYTE:
            message = (
                f"{function!r} sent no first byte within {value} s of its hand-over to a sandbox "
                f"(clock first_byte_s = {value})"
            )
            hint = "raise first_byte_s in its function.toml, or make the function answer sooner"
        case ClockName.TOTAL:
            message = (
                f"{function!r} was not done within {value} s of its hand-over to a sandbox (clock timeout_s = {value})"
            )
            hint = "raise timeout_s in its function.toml (`attacca deploy --timeout SECONDS`), or make it do less"
    return Failed("timeout", message, hint)
