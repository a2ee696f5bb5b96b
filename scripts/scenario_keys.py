"""Every key of a scenario's file as tables for docs/laboratory.md, from the Structs that read it."""

import inspect
from typing import Any, cast

import msgspec
import msgspec.inspect as shape

from attacca.load.workload import scenario

CHOICE = (
    "A policy ([policies.md](policies.md)), by name or `module:Class`, and its options beside it: "
    '`{ policy = "ttl", idle_s = 60 }`, or `"lru"` where there are none. So a server\'s settings have it too.'
)
TABLES: dict[str, tuple[type[msgspec.Struct], str]] = {  # in the file, and how it begins there
    "": (scenario.Scenario, ""),
    "[workload]": (scenario.Workload, "What comes in, and for how long."),
    "[workload.trace]": (scenario.TraceUse, ""),
    "[workload.clients]": (scenario.Clients, ""),
    "[[functions]]": (scenario.FunctionPlan, "One for each function; with a trace, only to say more of some of its."),
    "[[workflows]]": (
        scenario.WorkflowPlan,
        "In place of functions, of a simulation only: event functions that send each other events, on nodes whose "
        "orchestrator decides where each runs. What comes to the first function of one is one invocation, answered "
        "when the last has handled it.",
    ),
    "[functions.gpu]": (scenario.Accelerated, ""),
    "a shape": (scenario.Shape, ""),
    "a body": (scenario.Body, ""),
    "a distribution": (scenario.Distribution, ""),
    "[system]": (scenario.System, "The platform. A live run takes the server as it is."),
    "[system.accelerators]": (scenario.Accelerators, ""),
    "a choice": (scenario.Choice, CHOICE),
    "[hardware]": (scenario.Hardware, "Of a simulation only; `attacca sim calibrate` writes it from measurements."),
    "[hardware.power]": (scenario.Power, ""),
    "[[faults]]": (scenario.Fault, ""),
    "[record]": (scenario.Record, "What is kept of a run."),
}  # fmt: skip
NAMES = {  # of a Struct as a value
    "Distribution": "a distribution", "Shape": "a shape", "Body": "a body", "Choice": "a choice",
    "TraceUse": "a table", "Clients": "a table", "Workload": "a table", "System": "a table", "Hardware": "a table",
    "Power": "a table", "Accelerated": "a table", "Accelerators": "a table",
    "Record": "a table", "FunctionPlan": "tables", "WorkflowPlan": "tables", "Fault": "tables",
}  # fmt: skip
MEANING = {
    "Scenario.name": "of the run; a letter, then letters, digits and dashes",
    "Scenario.about": "a sentence for reports; changes nothing",
    "Scenario.seed": "of everything that is drawn",
    "Scenario.workload": "below",
    "Scenario.functions": "below",
    "Scenario.workflows": "below",
    "Scenario.system": "below",
    "Scenario.hardware": "below",
    "Scenario.faults": "below",
    "Scenario.record": "below",
    "Workload.duration_s": "how long invocations come; unset: as long as the trace",
    "Workload.warmup_s": "so much of the beginning is run but not measured",
    "Workload.settle": "what MSER-5 says has not settled is not measured either",
    "Workload.drain_s": "how long answers are waited for after the last invocation was sent",
    "Workload.trace": "invocations of a trace",
    "Workload.clients": "invocations of clients that wait for their answers",
    "TraceUse.path": "a file or a directory, seen from where the command is run",
    "TraceUse.format": "`auto` finds out; else a name of [traces.md](traces.md#formats)",
    "TraceUse.start_minute": "minutes left out at the beginning",
    "TraceUse.minutes": "how many; unset: all",
    "TraceUse.spread": "where in its minute an invocation of a trace of counts falls",
    "TraceUse.sample": "so many functions, like the whole by Wasserstein distance; unset: all",
    "TraceUse.keep": "of a sample: what functions are like, how often they are invoked, or [both](traces.md)",
    "TraceUse.thin": "the share of the invocations that is kept",
    "TraceUse.time_scale": "2: half as fast; 0.5: twice as fast",
    "TraceUse.duration_scale": "every duration times this",
    "TraceUse.duration_most_ms": "longer ones are cut to this",
    "TraceUse.body": "what functions do that only the trace knows",
    "TraceUse.cold": "what a cold start takes: what the trace says, where it does; or `[hardware]` for all",
    "TraceUse.memory_least_mb": "functions hold at least this",
    "Clients.count": "how many",
    "Clients.think": "from an answer to the client's next invocation",
    "FunctionPlan.name": "a function of the trace has the name that `attacca scenario check` shows",
    "FunctionPlan.memory_mb": "what one sandbox holds",
    "FunctionPlan.duration": "how long its handler takes; a trace's own durations win",
    "FunctionPlan.cold": "the whole of a cold start of it; unset: as the trace says, else `[hardware]`",
    "FunctionPlan.shape": "how its invocations come by themselves; unset: only from the trace or the clients",
    "FunctionPlan.weight": "how often clients choose it, beside the others",
    "FunctionPlan.body": "what it does when it is run live",
    "FunctionPlan.concurrency": "invocations at once in one sandbox",
    "FunctionPlan.timeout_s": "from the hand-over to a sandbox to the answer",
    "FunctionPlan.wait_s": "from the arrival until a sandbox takes it",
    "FunctionPlan.queue": "invocations that may wait; one more is refused with 429",
    "FunctionPlan.pure": "it only computes, and has a core until it is done; of a simulation alone",
    "FunctionPlan.idempotent": "it may be run again when its worker or its sandbox is lost",
    "FunctionPlan.copies": "so many functions alike: NAME-1, NAME-2, ...; those of a `constant` shape take turns",
    "WorkflowPlan.name": "as a function's",
    "WorkflowPlan.template": (
        "one function after the other, which send or call on; or one that sends to several, and one that waits for all"
    ),
    "WorkflowPlan.length": "of a `chain`, or of `calls`: functions",
    "WorkflowPlan.width": "of a `map_reduce`: functions side by side",
    "WorkflowPlan.memory_mb": "what each instance holds",
    "WorkflowPlan.duration": "how long each takes with an event",
    "WorkflowPlan.shape": "what comes to the first function of each workflow, while it lives",
    "WorkflowPlan.copies": "so many workflows alike: NAME-1, NAME-2, ...",
    "WorkflowPlan.starts": "when they are started, one after the other; unset: all at the beginning",
    "WorkflowPlan.replicas": "of each function but the first",
    "WorkflowPlan.standby": "beside each function another stands by, and takes over at once",
    "WorkflowPlan.syncs": "each function keeps its state after each event",
    "WorkflowPlan.timeout_s": "how long one of `calls` waits for its reply",
    "WorkflowPlan.lifetime": "after so long one is stopped; unset: not before the end",
    "Shape.kind": "",
    "Shape.rate": "a second",
    "Shape.to_rate": "a second: `ramp` at the end, `step` and `spike` from `at_s`, `mmpp` when high, `sine` at most",
    "Shape.cv": "of `gamma`: coefficient of variation of the gaps",
    "Shape.at_s": "when `step` and `spike` begin; the first of `constant`",
    "Shape.for_s": "`spike`: how long; `sine`: the period; `mmpp`: mean time in a state",
    "Body.kind": "`busy` counts, calibrated to the duration; `example` is a function of `examples/`",
    "Body.busy": "of `busy`: the share of its duration that it computes; for the rest it waits",
    "Body.example": "its name",
    "Body.path": "what follows its name in the address: `/items`, `?width=64`; unset: what is known of the example",
    "Body.memory_mb": "of `memory`: how much it touches",
    "Distribution.kind": "",
    "Distribution.mean_ms": "of `constant`, `exponential`, `lognormal`",
    "Distribution.sigma": "of `lognormal`: standard deviation of the logarithm",
    "Distribution.low_ms": "of `uniform`, `bounded_pareto`",
    "Distribution.high_ms": "of `uniform`, `bounded_pareto`",
    "Distribution.alpha": "of `bounded_pareto`",
    "Distribution.values_ms": "of `empirical`: what is drawn from",
    "FunctionPlan.gpu": "how it is on an accelerator; unset: on none",
    "Accelerated.share": "of a device, or whole ones, of one sandbox",
    "Accelerated.duration": "how long its handler takes there",
    "Accelerated.start": "what its start takes besides",
    "Accelerated.data_mb": "what its sandbox has in the device's memory",
    "Accelerated.either": "it may run without one too, as `system.dispatch` decides",
    "System.accelerators": "[accelerators](gpu.md) of each worker; unset: none",
    "System.device_queueing": "who is next on them; unset: `mqfq`",
    "System.dispatch": "what runs on them, of what may do without; unset: `estimate`",
    "Accelerators.count": "how many",
    "Accelerators.memory_mb": "of each",
    "Accelerators.at_once": "invocations at once, for each",
    "Accelerators.transfer_mb_s": "how fast data comes to a device that others have taken the place of",
    "Accelerators.prefetch": "it comes as soon as somebody waits for it, and not only when it is next",
    "System.gateways": "how many; each invocation comes to one of them",
    "System.controls": "how many, of which one leads by a lease in the store",
    "System.lease_s": "how long after it was last renewed another may lead: `control.lease_s` of a server",
    "System.workers": "how many; a live server has one",
    "System.memory_mb": "of each worker, for its sandboxes",
    "System.cores": "of each worker",
    "System.mode": "who schedules: each worker, or control and gateway",
    "System.queueing": "who is next on a worker",
    "System.concurrency": "how many run at once on a worker",
    "System.keepalive": "who is evicted, and when",
    "System.balancing": "which worker gets an invocation",
    "System.slots": "in mode `cluster`: which sandbox with a free slot gets an invocation",
    "System.scaling": "in mode `cluster`: how many sandboxes a function has",
    "System.prefetch": "who fetches code and images ahead, as `control.prefetch`; unset: nobody. With `image_cache`",
    "System.placement": "in mode `cluster`: which worker has the next one made; of workflows: the next instance",
    "System.templates": "sandboxes are forked from an imported copy: one is there from the deployment",
    "System.cut_off_s": "instances of workflows end on a node that hears of no control for so long: `worker.cut_off_s`",
    "System.silent_s": "a worker that says nothing for so long is lost: `gateway.silent_s` of a server",
    "System.domains": "of workflows, among which the workers are dealt out; of several there is a federation",
    "System.outside": (
        "of workflows: who moves their instances from outside. The file of a program with `shares` and `moves`, as "
        "`examples/orchestrator/orchestrator.py` has them; `restless` moves and cordons at random; unset, or `nobody`: "
        "nobody"
    ),
    "System.outside_every_s": "how often that one looks",
    "System.attempts": "workers that an invocation is sent to, when one after the other is lost: `gateway.attempts`",
    "Choice.policy": "",
    "Choice.options": "",
    "Hardware.sandbox": "making a sandbox from nothing",
    "Hardware.template": "forking one from a template",
    "Hardware.template_mb": "what a paused template holds, unless its function reserves less",
    "Hardware.code": "bringing the code into it",
    "Hardware.imports": "running the module's top level; a template has done it already",
    "Hardware.overhead": "of every invocation, beside its handler",
    "Hardware.first": "besides, of the first in a sandbox",
    "Hardware.wakeup": "how long who has something to do waits for a core, where all are taken",
    "Hardware.cpu": (
        "`none`: nobody slows another; `sharing`: handlers share all cores; `contended`: they and starts do, and each "
        "core has a queue of its own"
    ),
    "Hardware.background": "cores of each worker that something else keeps busy",
    "Hardware.gateway": "how long a gateway is busy with an invocation; it sees to one after the other",
    "Hardware.network": "from gateway to worker, or from one worker to another, one way",
    "Hardware.control": "between control and gateways or workers, one way",
    "Hardware.store": "between control and the store, one way",
    "Hardware.network_loss": "the share of messages that is lost",
    "Hardware.image_cache": "a worker that has not run a function yet must fetch it",
    "Hardware.fetch": "fetching one",
    "Hardware.wiring": "making a new sandbox's network; unset: it takes no time",
    "Hardware.readiness": "until a new sandbox takes invocations, after its imports; unset: it takes no time",
    "Hardware.memory_pressure": "how much everything slows down as memory fills",
    "Hardware.power": "what the machines take; unset: nothing is said of energy",
    "Power.idle_w": "watts of a machine that does nothing",
    "Power.core_w": "watts more of a core that is busy",
    "Power.clock": "of the one that `core_w` was measured at; durations are told for this one",
    "Fault.kind": (
        "`_crash`: all that it had is gone, and it begins anew; `_stop`: it stands still, while sandboxes run, and "
        "then goes on; `control_`: the one that leads; `partition`: a worker and the gateways do not hear each other"
    ),
    "Fault.at_s": "when; unset: drawn",
    "Fault.rate": "so often an hour, where it is drawn",
    "Fault.for_s": "how long; a `clock_skew` stays",
    "Fault.factor": (
        "`slow_worker`: how much slower; `late_message`, `clock_skew`: seconds; `store_slow`: seconds more, each way"
    ),
    "Fault.worker": "which, from 0; unset: drawn",
    "Record.sample_s": "how often the platform is looked at",
    "Record.invocations": "whether each invocation has its row",
}


def tables() -> str:
    """A table of keys for each table of the file."""
    parts = []
    for title, (struct, about) in TABLES.items():
        head = f"#### {'At the top' if not title else title if title.startswith('a ') else f'`{title}`'}"
        told = about or " ".join((inspect.getdoc(struct) or "").split())
        fields = cast("Any", shape.type_info(struct)).fields
        rows = [_row(struct.__name__, field) for field in fields]
        lines = ["| key | value | default | meaning |", "| --- | --- | --- | --- |", *rows]
        is_told = told and struct is not scenario.Scenario
        parts.append("\n".join([head, "", *([told, ""] if is_told else []), *lines]))
    return "\n" + "\n\n".join(parts) + "\n\n"


def _row(struct: str, field: Any) -> str:
    cells = (f"`{field.name}`", kind(field.type), default(field), MEANING[f"{struct}.{field.name}"])
    return f"| {' | '.join(cells)} |"


def kind(info: Any) -> str:
    match info:
        case shape.Metadata(type=inner):
            return kind(inner)
        case shape.UnionType(types=types):
            return kind(next(one for one in types if not isinstance(one, shape.NoneType)))
        case shape.StructType(cls=cls):
            return NAMES[cls.__name__]
        case shape.LiteralType(values=values):
            return ", ".join(f"`{value}`" for value in values)
        case shape.VarTupleType(item_type=item):
            return NAMES[item.cls.__name__] if isinstance(item, shape.StructType) else "numbers"
        case shape.DictType():
            return "a table"
        case shape.StrType():
            return "text"
        case shape.BoolType():
            return "true or false"
        case shape.IntType() | shape.FloatType():
            return "whole number" if isinstance(info, shape.IntType) else "number" + _bounds(info)
        case _:
            raise TypeError(f"no words for {info}")


def _bounds(info: Any) -> str:
    if info.le is not None:
        return f", {info.ge:g} to {info.le:g}"
    return " above 0" if info.gt is not None else ""


def default(field: Any) -> str:
    if field.required:
        return "needed"
    if field.default_factory is msgspec.NODEFAULT and field.default is msgspec.NODEFAULT:
        return ""  # it may be left out, and is UNSET then
    value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    match value:
        case None | () | {} | "":
            return ""
        case scenario.Distribution():
            return _distribution(value)
        case scenario.Choice():
            options = "".join(f", `{key}` {one}" for key, one in value.options.items())
            return f"`{value.policy}`{options}"
        case scenario.Shape() | scenario.Body():
            return f"`{value.kind}`"
        case msgspec.Struct():
            return ""
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"{value:,g}" if abs(value) < 1e6 else f"{value:,.0f}"
        case _:
            return f"`{value}`"


def _distribution(value: scenario.Distribution) -> str:
    sigma = f", sigma {value.sigma:g}" if value.kind == "lognormal" else ""
    return f"{value.kind}, {value.mean_ms:g} ms{sigma}" if value.mean_ms else "nothing"
