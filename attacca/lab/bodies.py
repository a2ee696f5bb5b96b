"""What stands behind a scenario's functions in a live run: our own body with a duration, or one of the examples."""

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from attacca.errors import BadConfig, NotFound
from attacca.io.archive import pack
from attacca.load.sending.frames import Call
from attacca.load.workload.scenario import Body, FunctionPlan
from attacca.model.function import Scheduling, Settings

SOURCE: Final = Path(__file__).with_name("body.py")
HANDLER: Final = "body:main"
MARK: Final = "ATTACCA_LOAD"  # in the environment of every function that a run has deployed, so that it may replace it
MEMORY_LEAST_MB: Final = 32
TIMEOUT_MOST_S: Final = 86_400.0
CUT_OFF: Final = 0.40  # an example that takes so much more or less than the trace's function does not stand for it
TYPES: Final = {
    ".json": "application/json",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".txt": "text/plain",
    ".md": "text/markdown",
}
JSON: Final = "application/json"
REQUEST: Final = "request.toml"


class Mapped(msgspec.Struct, frozen=True, kw_only=True):
    """Which example stands for a function. Without one near enough `example` is empty, and our own body does."""

    function: str
    wanted_ms: float
    example: str
    example_ms: float
    error: float  # share of what was wanted


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known to make sense to a function: `path` follows its name in the address."""

    path: str = ""
    body: bytes = b"{}"
    content_type: str = JSON


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """input/request.toml of an example: `body` is a file, named from there."""

    path: str = ""
    body: str = ""
    content_type: str = ""


def map_to_examples(
    wanted_ms: Mapping[str, float], measured_ms: Mapping[str, float], cut_off: float = CUT_OFF
) -> list[Mapped]:
    """For each function the example whose time is nearest, in proportion."""
    examples = sorted((ms, name) for name, ms in measured_ms.items() if ms > 0)
    return [_map(function, ms, examples, cut_off) for function, ms in wanted_ms.items()]


def _map(function: str, ms: float, examples: Sequence[tuple[float, str]], cut_off: float) -> Mapped:
    if ms <= 0 or not examples:
        return Mapped(function=function, wanted_ms=ms, example="", example_ms=0.0, error=math.inf)
    example_ms, example = min(examples, key=lambda one: (abs(one[0] - ms), one))
    error = abs(example_ms - ms) / ms
    name = example if error <= cut_off else ""
    return Mapped(function=function, wanted_ms=ms, example=name, example_ms=example_ms, error=error)


def mapping_error(mapped: Iterable[Mapped], weights: Mapping[str, float]) -> tuple[int, int, float]:
    """How many functions have an example, how many have none, and the mean error of the former by invocations."""
    rows = list(mapped)
    near = [row for row in rows if row.example]
    weight = sum(weights.get(row.function, 0.0) for row in near)
    error = sum(row.error * weights.get(row.function, 0.0) for row in near) / weight if weight else 0.0
    return len(near), len(rows) - len(near), error


def settings_of(plan: FunctionPlan, scheduling: Scheduling = Scheduling.WORKER) -> Settings:
    """Our own body, with the plan's limits."""
    return Settings(
        name=plan.name,
        handler=HANDLER,
        memory_mb=max(plan.memory_mb, plan.body.memory_mb + MEMORY_LEAST_MB, MEMORY_LEAST_MB),
        timeout_s=min(plan.timeout_s, TIMEOUT_MOST_S),
        wait_s=min(plan.wait_s, TIMEOUT_MOST_S),
        concurrency=min(plan.concurrency, 1000),
        queue=min(plan.queue, 1_000_000),
        idempotent=plan.idempotent,
        scheduling=scheduling,
        env={MARK: "1"},
    )


def archive() -> bytes:
    """The code of our own body, as it is sent to the server."""
    return pack(SOURCE)


def timed_call(plan: FunctionPlan, host: str, token: str, per_ms: float) -> Call:
    """Asks our own body for a duration."""
    said = b'{"ms":%%.3f,"per_ms":%.1f,"kind":"%b"' % (per_ms, plan.body.kind.encode())
    if plan.body.busy < 1.0:
        said += b',"busy":%g' % plan.body.busy
    if plan.body.kind == "memory" or plan.body.memory_mb:
        said += b',"mb":%d' % (plan.body.memory_mb or max(1, plan.memory_mb // 2))
    return Call(head(plan.name, host, token, JSON), said + b"}", is_timed=True)


def fixed_call(name: str, host: str, token: str, known: Known) -> Call:
    """Asks any function for the same, always.

    Raises:
        BadConfig: the path cannot follow a name.
    """
    if known.path and not known.path.startswith(("/", "?")):
        raise BadConfig(f"the path {known.path!r} cannot follow {name!r}", "begin it with / or ?, as in /items?tag=new")
    return Call(head(name + known.path, host, token, known.content_type), known.body, is_timed=False)


def head(target: str, host: str, token: str, content_type: str) -> bytes:
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    return (
        f"POST /function/{target} HTTP/1.1\r\nHost: {host}\r\n{authorization}X-Attacca-Detail: 1\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: "
    ).encode()


def example_of(body: Body) -> Path:
    """The directory of the example that a body names: a path, or a name below examples/.

    Raises:
        NotFound: there is none.
    """
    for path in (Path(body.example), Path("examples") / body.example):
        if body.example and path.is_dir():
            return path
    raise NotFound(f"there is no example {body.example!r}", "give the path of its directory, with its main.py")


def known_of(name: str, asked: Known) -> Known:
    """What is asked for; where that is nothing, and an example has this name, what is known of that."""
    path = Path("examples") / name
    return known_input(path) if asked == Known() and (path / "input").is_dir() else asked


def known_input(path: Path, target: str = "") -> Known:
    """What an example is sent: as its input/request.toml says, else the first file in its `input`, else {}.

    Raises:
        BadConfig: request.toml makes no sense.
    """
    request = _request(path / "input" / REQUEST)
    files = sorted(file for file in (path / "input").glob("*") if file.is_file() and file.name != REQUEST)
    file = path / "input" / request.body if request.body else (files[0] if files else None)
    if file is None:
        return Known(path=target or request.path)
    kind = request.content_type or TYPES.get(file.suffix, "application/octet-stream")
    try:
        return Known(path=target or request.path, body=file.read_bytes(), content_type=kind)
    except OSError as error:
        raise BadConfig(f"{file}: {error.strerror}", f"body in {REQUEST} is a path from there") from None


def _request(path: Path) -> Request:
    if not path.is_file():
        return Request()
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Request)
    except (OSError, ValueError, RecursionError) as error:  # msgspec's own is a ValueError
        raise BadConfig(f"{path}: {error}", "it has path, body and content_type") from None
