"""Write the tables of the documents that follow from the code: `make docs`. A test says when one is stale."""

import inspect
import re
import statistics
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import msgspec.inspect as shape

from attacca import errors
from attacca.lab import runtimes as costs
from attacca.model.environment import ENV_KB
from attacca.model.function import NAMES, Settings
from attacca.policy.balancing import BALANCING
from attacca.policy.concurrency import CONCURRENCY
from attacca.policy.dispatch import DISPATCH
from attacca.policy.keepalive import KEEPALIVE
from attacca.policy.placement import PLACEMENT
from attacca.policy.queueing import QUEUEING
from attacca.policy.scaling import SCALING
from attacca.policy.slots import SLOTS
from scripts import scenario_keys
from tests.workflow import checklist

ROOT = Path(__file__).resolve().parents[1]
HISTORY = ROOT / "bench" / "history.jsonl"
RUNTIMES = ROOT / "bench" / "runtimes.json"
BESIDE = ROOT / "examples" / "lab" / "reports" / "azure-500.json"
SCHOOLS = ROOT / "examples" / "lab" / "reports" / "worker-vs-cluster.json"
BLOCK = re.compile(r"(<!-- table: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)

SHOWN = {
    "mean_ms": ("mean response", "ms", 1.0),
    "p99_ms": ("p99 response", "ms", 1.0),
    "slowdown": ("slowdown", "", 1.0),
    "slowdown_p99": ("p99 slowdown", "", 1.0),
    "cold_share": ("cold share", "%", 100.0),
    "memory_gb": ("memory held", "GB", 1.0),
    "error_share": ("errors", "%", 100.0),
}

MEASURED = ("measure", "attacca", "beside", "ratio (spread)", "bar")
PROMISED = (  # how the names of measures begin that README shows beside their floors
    "warm invocation, ", "warm throughput", "warm p50, 1 connection, beside", "warm p99", "template start",
    "first cold start", "cold starts sustained", "memory of an idle sandbox",
)  # fmt: skip

MEANING = {
    "name": NAMES,
    "handler": '`"module:attribute"`; found by itself when unset',
    "image": 'what the cluster pulls, with `runtime = "kubernetes"`',
    "event": "what a handler is told: the body alone, or the HTTP request; recognised from the code when unset",
    "memory_mb": "what one sandbox may hold",
    "timeout_s": "from the hand-over to a sandbox until the last byte of the answer",
    "first_byte_s": "from the hand-over to a sandbox until the first byte of the answer; unset: no clock of its own",
    "wait_s": "from the arrival until a sandbox takes it",
    "concurrency": "invocations at once in one sandbox",
    "env": f"environment variables, set before the code is imported; {ENV_KB} KB of them at most",
    "runtime": "`process`: Python, the machine's or [an image's](#python-in-an-image); "
    "`custom`: the program `bootstrap`, in [any language](#other-languages); "
    "`wasm`: a module or component of [WebAssembly](#webassembly); "
    "`container`: an [image](#container-images); `microvm`: Python, in a [virtual machine](#micro-vms); "
    "`kubernetes`: an image in [pods of a cluster](#kubernetes); "
    "`auto`: by what it is",
    "pure": "[it computes its answer from its input](#pure-functions) and can do nothing else: of `wasm` alone",
    "secrets": "what of [the secrets](#secrets) it is given, and how",
    "min_sandboxes": "so many are kept, idle or not",
    "max_sandboxes": "never more than this; unset: as many as memory holds",
    "cpus": "processors that one sandbox may use; unset: an equal share",
    "gpu": "[accelerators](gpu.md) that one sandbox holds: a share of one, up to 1, or whole ones",
    "gpu_memory_mb": "what it holds of an accelerator's memory; unset: its share of it",
    "compute": 'what an invocation may run on: `["gpu"]`, or `["cpu", "gpu"]` for [either](gpu.md#either); unset: as '
    "`gpu` says",
    "queue": "invocations that may wait for a sandbox; one more is refused with 429",
    "network": "`none`; `nat`: [what is outside](isolation.md#the-way-out) of the machine; or `host`: the machine's "
    "network as it is",
    "allow": "of `nat`: what it reaches, such as `api.example.com:443` and `10.0.0.0/8:5432`, and nothing else; unset: "
    "all that is public",
    "bandwidth_mbps": "of `nat`: megabits per second of one sandbox, each way; unset: unbounded",
    "publish": 'of containers: [ports](#container-images) of the machine that lead to it, such as `["5432:5432"]`',
    "idempotent": "may be run twice for one request: it is sent again, once, if its sandbox is lost before the answer",
    "cors": 'origins (`"https://shop.example"`, or `"*"`) whose [pages may call it](http.md#pages-of-other-sites)',
    "application": "what it belongs to, for policies and figures; unset: to itself",
    "trigger": "what calls it, for policies: `http`, `timer`, `queue`, ...",
    "scheduling": "who has its sandboxes made: each worker for what it is sent, or control for all",
    "scaling": "and how many, if it is control: a [policy](policies.md#scaling), its options; unset: `control.scaling`",
    "placement": "and on which workers: a [policy](policies.md#placement); unset: `control.placement`",
    "schedule": "when it is run by itself: [cron's five fields](async.md#schedules), or a list of such",
    "timezone": "where the hours of `schedule` are meant, such as `Europe/Rome`",
    "missed": "what becomes of runs that were due while the server was down: told and left out, or one for all of them",
    "async.retries": "attempts at an [asynchronous call](async.md) after the first that ran and failed",
    "async.max_age_s": "from the call until its last attempt may begin",
    "async.backoff_s": "the pause before the first retry is drawn from 0 to this, and each next from twice as much",
    "async.backoff_most_s": "and at most from this",
    "async.at_once": "attempts that run at once, of one gateway",
    "async.queue": "calls that are not over, of one gateway; one more is refused with 429",
    "async.keep_s": "how long an answer, and with it an `Idempotency-Key`, is kept",
    "async.keep_dead_s": "how long a dead call is kept",
}


def settings() -> str:
    """What `function.toml` may say."""
    rows = [(f"`{name}`", kind(field.type), default(field), MEANING[name]) for name, field in flat(Settings)]
    return table(("setting", "value", "default", "meaning"), rows)


def flat(struct: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Its fields, and of those that are tables theirs, last."""
    own, inner = [], []
    for field in shape.type_info(struct).fields:  # type: ignore[attr-defined]
        if isinstance(field.type, shape.StructType):
            inner += flat(field.type.cls, f"{prefix}{field.encode_name}.")
        else:
            own.append((prefix + field.encode_name, field))
    return own + inner


def kind(info: Any) -> str:
    """A field's type and bounds in a few words."""
    match info:
        case shape.UnionType(types=types):
            return kind(next(one for one in types if not isinstance(one, shape.NoneType)))
        case shape.Metadata(type=described):
            return kind(described)
        case shape.EnumType(cls=cls):
            return " or ".join(f'`"{member.value}"`' for member in cls)
        case shape.DictType(value_type=shape.EnumType() as value):
            return f"table of {kind(value)}"
        case shape.DictType(value_type=value):
            return "table" if isinstance(value, shape.UnionType) else "table of texts"
        case shape.VarTupleType():
            return "list of texts"
        case shape.StrType():
            return "text"
        case shape.BoolType():
            return "true or false"
        case shape.IntType() | shape.FloatType():
            return ("whole number" if isinstance(info, shape.IntType) else "number") + bounds(info)
        case _:
            raise TypeError(f"no words for {info}")


def bounds(info: shape.IntType | shape.FloatType) -> str:
    if info.ge is not None and info.le is not None:
        return f", {info.ge:,} to {info.le:,}"
    if info.gt is not None and info.le is not None:
        return f" above {info.gt:g}, up to {info.le:,}"
    if info.ge is not None:
        return f", {info.ge:g} or more"
    return f" above {info.gt:g}" if info.gt is not None else ""


def default(field: shape.Field) -> str:
    if field.required:
        return "the directory's name"
    value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    if isinstance(value, float):
        return f"`{value:g}`"
    return "unset" if value is None or value in ({}, ()) else f"`{msgspec.json.encode(value).decode()}`"


def error_codes() -> str:
    """Every code that an error's body may carry."""
    rows = [
        (f"`{found.code}`", str(found.status), "yes" if found.retryable else "", summary(found))
        for found in vars(errors).values()
        if isinstance(found, type) and issubclass(found, errors.AttaccaError) and found is not errors.AttaccaError
    ]
    return table(("code", "status", "again?", "what happened"), rows)


def policies(family: dict[str, type[Any]]) -> str:
    rows = []
    for name, policy in family.items():
        fields = shape.type_info(policy).fields  # type: ignore[attr-defined]
        options = ", ".join(f"`{field.name}` {default(field).strip('`')}" for field in fields)
        rows.append((f"`{name}`", summary(inspect.getmodule(policy)), options))
    return table(("policy", "what it does", "options and defaults"), rows)


def bench() -> str:
    """The newest recorded figures of every measure (bench/history.jsonl)."""
    return table(MEASURED, map(_measured, newest(HISTORY.read_text().splitlines())))


def peers() -> str:
    """Of those, what is measured beside another server; then what is promised beside the least that it could cost."""
    return table(MEASURED, shown(newest(HISTORY.read_text().splitlines())))


def shown(measures: Iterable[Any]) -> list[tuple[str, ...]]:
    beside, floors = [], []
    for found in measures:
        if "uvicorn" in found["floor"] or "gunicorn" in found["floor"]:
            beside.append(_measured(found))
        elif found["name"].startswith(PROMISED):
            floors.append(_measured(found))
    return [*beside, *floors]


def newest(lines: Iterable[str]) -> list[Any]:
    """The last figures of each measure. A line may name those that are `gone`: they are not measured any more."""
    found: dict[str, Any] = {}
    for line in lines:
        told = msgspec.json.decode(line)
        for name in (*(measure["name"] for measure in told["measures"]), *told.get("gone", ())):
            found.pop(name, None)
        found |= {measure["name"]: measure for measure in told["measures"]}
    return list(found.values())


def _measured(found: Any) -> tuple[str, ...]:
    ours, floor = (statistics.median(one[place] for one in found["rounds"]) for place in (0, 1))
    ratios = sorted(one[0] / one[1] for one in found["rounds"])
    bar = f"{'≥' if found['at_least'] else '≤'} {found['bar']:g}" + ("" if found["met"] else ", missed")
    against = f"{found['floor']}, {floor:,.1f} {found['unit']}" if found["floor"] else ""
    spread = f"{found['median']:.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    return found["name"], f"{ours:,.1f} {found['unit']}", against, spread, bar


def runtimes() -> str:
    """What each runtime costs, as `make bench-runtimes` recorded it; without what was measured of none."""
    starts = ("deployed", "restarted", "cold", "template or snapshot", "warm")
    head = ("runtime", "isolation", *starts, "memory per sandbox", "what it needs")
    columns = zip(*[head, *costs.rows(costs.read(RUNTIMES))], strict=True)
    there = [column for column in columns if any(column[1:])]
    named, *rows = zip(*there, strict=True)
    return table(named, rows)


def beside() -> str:
    """Our replay of a trace beside what was published of it, as `make lab` recorded it."""
    recorded = msgspec.json.decode(BESIDE.read_bytes())["beside"]
    says = " ".join(recorded["says"])
    figures, setups = (table(tuple(one["head"]), map(tuple, one["rows"])) for one in recorded["tables"])
    return f"{says}\n\n{figures}\n{setups}"


def schools() -> str:
    """Workers against a cluster as `make lab` recorded it, and both beside what was published."""
    recorded = msgspec.json.decode(SCHOOLS.read_bytes())
    both = recorded["configurations"]
    seeds = {len(one["seeds"]) for one in both}
    rows = []
    for pair in recorded["comparisons"]:
        label, unit, scale = SHOWN[pair["metric"]]
        cells = [_within(one["metrics"][pair["metric"]], scale) for one in both]
        ratio = f"{pair['ratio']:.3f} ({pair['ratio_low']:.3f} … {pair['ratio_high']:.3f})"
        rows.append((f"{label}, {unit}" if unit else label, *cells, ratio))
    ways = {f"{pair['other']} / {pair['base']}": None for pair in recorded["comparisons"]}
    head = ("", *(one["label"] for one in both), *ways)
    figures = recorded["beside"]["tables"][0]
    beside_it = table(tuple(figures["head"]), map(tuple, figures["rows"]))
    over = f"Over {min(seeds)} seeds, each of which both have seen:"
    return f"{over}\n\n{table(head, rows)}\nBeside Dirigent's figures:\n\n{beside_it}"


def _within(found: Any, scale: float) -> str:
    return f"{found['value'] * scale:,.4g} ± {(found['high'] - found['low']) / 2 * scale:,.2g}"


def edgeless() -> str:
    """What it does that its users rely on; the tests are in tests/workflow/checklist.py."""
    return table(("in EDGELESS", "here"), ((row.there, row.here) for row in checklist.ROWS))


def summary(described: object) -> str:
    """The first sentence of a docstring, on one line."""
    return " ".join((inspect.getdoc(described) or "").split("\n\n")[0].split())


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


TABLES: dict[str, Callable[[], str]] = {
    "settings": settings,
    "errors": error_codes,
    "queueing": lambda: policies(QUEUEING),
    "concurrency": lambda: policies(CONCURRENCY),
    "keepalive": lambda: policies(KEEPALIVE),
    "balancing": lambda: policies(BALANCING),
    "slots": lambda: policies(SLOTS),
    "dispatch": lambda: policies(DISPATCH),
    "scaling": lambda: policies(SCALING),
    "placement": lambda: policies(PLACEMENT),
    "scenario": scenario_keys.tables,
    "bench": bench,
    "edgeless": edgeless,
    "peers": peers,
    "runtimes": runtimes,
    "beside": beside,
    "schools": schools,
}


def refresh(text: str) -> str:
    """The document with every generated table as it should be now."""
    return BLOCK.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}{found[4]}", text)


def main() -> int:
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))):
        old = path.read_text()
        if (new := refresh(old)) != old:
            path.write_text(new)
            print(f"rewrote the tables of {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
