"""`attacca proxy`: the domain as EDGELESS's proxy shows it, and intents, over HTTP: no Redis is needed."""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from attacca.cli.command import VerbCommand, VerbGroup
from attacca.cli.options import DEFAULT_URL, Json, Token, Url
from attacca.cli.screens.terminal import console, put, say, show_json, visible
from attacca.client.http import Client
from attacca.errors import BadRequest, Conflict

app = typer.Typer(
    cls=VerbGroup,
    help="Show the domain as EDGELESS's proxy_cli does, by the same ids; tell it what to do; dump what it knows.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
SHOW = """
attacca proxy show functions
attacca proxy show logical-to-physical
attacca proxy show node health
attacca proxy show node instances --node-print-format uuid
"""
TOP = """
attacca proxy top nodes
attacca proxy top workflow demo
"""
INTENT = """
attacca proxy intent migrate demo.counter worker-2  # or by the ids that `attacca proxy show` prints
attacca proxy intent migrate demo.counter worker-2 worker-3  # the first that can have it
attacca proxy intent cordon worker-2
attacca proxy intent uncordon worker-2 --dry-run  # what would be done?
"""
DUMP = """
attacca proxy dump performance
attacca proxy dump performance-csv > samples.csv
attacca proxy dump instances
"""
SHOWN = (
    "functions", "resources", "logical-to-physical", "logical-to-workflow", "node capabilities",
    "node resource-providers", "node health", "node instances",
)  # fmt: skip
HEALTH = (  # in the words that scripts around proxy_cli look for
    "memory free {mem_free} kb, used {mem_used} kb, available {mem_available} kb, process cpu usage {proc_cpu_usage}%, "
    "memory {proc_memory} kb, vmemory {proc_vmemory} kb, load avg 1 minute {load_avg_1}% 5 minutes {load_avg_5}% "
    "15 minutes {load_avg_15}%, network tot rx {tot_rx_bytes} bytes ({tot_rx_pkts} pkts) {tot_rx_errs} errs, "
    "tot tx {tot_tx_bytes} bytes ({tot_tx_pkts} pkts) {tot_tx_errs} errs, disk available {disk_free_space} bytes, "
    "tot disk reads {disk_tot_reads} writes {disk_tot_writes}"
)
DUMPED = ("performance", "performance-csv", "instances")
Words = Annotated[list[str], typer.Argument(metavar="WHAT", help=f"One of: {', '.join(SHOWN)}.", show_default=False)]
Watched = Annotated[list[str], typer.Argument(metavar="WHAT", help="nodes, or workflow ID.", show_default=False)]
Asked = Annotated[
    list[str],
    typer.Argument(metavar="INTENT", help="migrate COMPONENT NODE..., cordon NODE, uncordon NODE.", show_default=False),
]
Dumped = Annotated[str, typer.Argument(metavar="WHAT", help=f"One of: {', '.join(DUMPED)}.", show_default=False)]
Format = Annotated[
    str, typer.Option("--node-print-format", metavar="FORMAT", help="How nodes are told: hostname, uuid or labels.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
Once = Annotated[bool, typer.Option("--once", help="Print one picture and end.")]
State = dict[str, Any]


@app.command("show", cls=VerbCommand, epilog=SHOW)
def show(
    what: Words, *, form: Format = "hostname", url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False
) -> None:
    """Show where functions and resources are, or what nodes are and have."""
    name = " ".join(what)
    if name not in SHOWN:
        raise BadRequest(f"there is nothing {name[:80]!r} to show", f"one of: {', '.join(SHOWN)}")
    with Client(url, token) as client:
        state = client.json("GET", "/api/domain/state")
    if as_json:
        show_json(state)
        return
    for line in lines(name, state, node_names(state, form)):
        put(visible(line))


@app.command("top", cls=VerbCommand, epilog=TOP)
def top(what: Watched, *, once: Once = False, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False) -> None:
    """Watch nodes, or the functions of a workflow, until Ctrl-C."""
    if what != ["nodes"] and (len(what) != 2 or what[0] != "workflow"):
        raise BadRequest(f"there is nothing {' '.join(what)[:80]!r} to watch", "nodes, or workflow ID")
    screen = console()
    with Client(url, token) as client:
        while True:
            state = client.json("GET", "/api/domain/state")
            if as_json:
                show_json(state)
                return
            picture = top_nodes(state) if what == ["nodes"] else top_workflow(state, what[1])
            if once or not screen.is_terminal:
                screen.print(picture)
                return
            screen.clear()
            screen.print(picture)
            try:
                time.sleep(1.0)  # noqa: TID251 - a person looks at it
            except KeyboardInterrupt:
                return


@app.command("intent", cls=VerbCommand, epilog=INTENT)
def intent(
    what: Asked, *, dry_run: DryRun = False, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False
) -> None:
    """Move a component to another node, or have a node given nothing new, or again. Answers when it is done."""
    body = {"intents": [read(what)], "dry_run": dry_run}
    with Client(url, token) as client:
        verdict: dict[str, Any] = client.json("POST", "/api/domain/intents", body)[0]
    if as_json:
        show_json(verdict)
    elif verdict["outcome"] != "refused":
        say(visible(verdict["why"]), "green" if verdict["outcome"] == "done" else "dim")
    if verdict["outcome"] == "refused":
        raise Conflict(f"the intent is refused: {verdict['why']}", "attacca proxy show functions, or attacca node list")


@app.command("dump", cls=VerbCommand, epilog=DUMP)
def dump(what: Dumped, *, url: Url = DEFAULT_URL, token: Token = "", as_json: Json = False) -> None:
    """Write samples, or the specification of each instance, into files here; or samples as a table to stdout."""
    if what not in DUMPED:
        raise BadRequest(f"there is nothing {what[:80]!r} to dump", f"one of: {', '.join(DUMPED)}")
    with Client(url, token) as client:
        state = client.json("GET", "/api/domain/state")
        samples = client.json("GET", "/api/domain/samples") if what != "instances" else []
    if as_json:
        show_json(state if what == "instances" else samples)
        return
    if what == "performance-csv":
        for line in csv(state, samples):
            put(visible(line))
        return
    for name, text in (files_of(samples) if what == "performance" else files_of_instances(state)).items():
        say(f"saving to {name}")
        Path(name).write_text(text)


def read(words: list[str]) -> dict[str, Any]:
    """
    Raises:
        BadRequest: these words are no intent.
    """
    match words:
        case ["migrate", component, *nodes] if nodes:
            return {"intent": "migrate", "component": component, "to": nodes}
        case [("cordon" | "uncordon") as kind, node]:
            return {"intent": kind, "node": node}
        case _:
            pass
    raise BadRequest(
        f"{' '.join(words)[:80]!r} is no intent", "migrate COMPONENT NODE..., cordon NODE or uncordon NODE"
    )


def node_names(state: State, form: str) -> dict[str, str]:
    """How each node is told, by its name.

    Raises:
        BadRequest: there is no such form.
    """
    made = {"hostname": lambda node: node["name"], "uuid": lambda node: node["id"], "labels": _labels}.get(form)
    if made is None:
        raise BadRequest(f"nodes are not told as {form[:40]!r}", "hostname, uuid or labels")
    return {node["name"]: made(node) for node in state["nodes"]}


def _labels(node: dict[str, Any]) -> str:
    return ",".join(node["labels"])


def lines(what: str, state: State, names: dict[str, str]) -> list[str]:
    """As proxy_cli prints it."""
    ids = {node["name"]: node["id"] for node in state["nodes"]}
    there = sorted(state["components"], key=lambda one: str(one["id"]))
    match what:
        case "functions":
            return [_at(one, ids) for one in there if one["instances"] and not one["resource"]]
        case "resources":
            return [_at(one, names) for one in there if one["instances"] and one["resource"]]
        case "logical-to-physical":
            return [f"{one['id']} -> {','.join(each['id'] for each in one['instances'])}" for one in there]
        case "logical-to-workflow":
            return [f"{one['id']} -> {one['workflow_id']}" for one in there]
        case "node capabilities":
            return [f"{names[node['name']]} -> {_capable(node)}" for node in state["nodes"]]
        case "node resource-providers":
            return [
                f"{one['name']} -> class_type {one['resource']}, node_id {ids[one['node']]}, outputs []"
                for one in state["providers"]
            ]
        case "node health":
            return [f"{names[node['name']]} -> {_healthy(node)}" for node in state["nodes"] if node["load"]]
        case _:
            return [line for node in state["nodes"] for line in _hosted(node["name"], names, there)]


def _at(one: dict[str, Any], names: dict[str, str]) -> str:
    return f"{one['id']} -> {','.join(names.get(each['node'], each['node']) for each in one['instances'])}"


def _hosted(name: str, names: dict[str, str], there: list[dict[str, Any]]) -> list[str]:
    placed = [one for one in there if any(each["node"] == name for each in one["instances"])]
    return [names[name], *(f"[{'R' if one['resource'] else 'F'}] {one['id']}" for one in placed)] if placed else []


def _capable(node: dict[str, Any]) -> str:
    import msgspec

    from attacca.workflow.core.state import NodeState
    from attacca.workflow.mirror.keys import capabilities

    found: dict[str, Any] = capabilities(msgspec.convert(node, NodeState))
    marks = ", TEE" * found["is_tee_running"] + ", TPM" * found["has_tpm"] + ", cordoned" * node["is_cordoned"]
    return (
        f"{found['num_cpus']} {found['model_name_cpu']} CPU(s) at {found['clock_freq_cpu']:g} BogoMIPS, "
        f"{found['num_cores']} core(s), {found['mem_size']} MiB memory, labels [{_labels(node)}]{marks}, "
        f"runtimes [{','.join(found['runtimes'])}], disk space {found['disk_tot_space']} MiB"
    )


def _healthy(node: dict[str, Any]) -> str:
    import msgspec

    from attacca.workflow.core.state import NodeState
    from attacca.workflow.mirror.keys import health

    told = msgspec.convert(node, NodeState)
    assert told.load is not None
    return HEALTH.format(**health(told, told.load))


def _table(*titles: str) -> Any:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in titles:
        table.add_column(title)
    return table


def top_nodes(state: State) -> Any:
    table = _table("node", "instances", "load", "cpu", "memory free MB", "reserved MB", "")
    for node in state["nodes"]:
        hosted = sum(each["node"] == node["name"] for one in state["components"] for each in one["instances"])
        load = node["load"]
        busy = (
            (f"{load['load_1m']:.2f}", f"{load['cpu_share']:.0%}", str(load["memory_free_mb"])) if load else ("",) * 3
        )
        mark = "cordoned" if node["is_cordoned"] else ""
        table.add_row(visible(node["name"]), str(hosted), *busy, str(node["reserved_mb"]), mark)
    return table


def top_workflow(state: State, workflow: str) -> Any:
    table = _table("name", "domain", "node", "events", "mean ms", "waiting")
    for one in state["components"]:
        if workflow not in (one["workflow"], one["workflow_name"], one["workflow_id"]):
            continue
        for each in one["instances"]:
            mean_ms = f"{each['handled_s'] / each['handled'] * 1e3:.1f}" if each["handled"] else ""
            counts = str(each["handled"]), mean_ms, str(each["waiting"])
            table.add_row(one["component"], state["domain"], visible(each["node"]), *counts)
    return table


def files_of(samples: list[dict[str, Any]]) -> dict[str, str]:
    """A file for each instance and metric: VALUE,TIME in each line."""
    found: dict[str, list[str]] = {}
    for one in samples:
        found.setdefault(f"{one['metric']}-{one['id']}.dat", []).append(f"{one['value']},{one['at']:.3f}\n")
    return {visible(name).replace("/", "_"): "".join(rows) for name, rows in found.items()}


def files_of_instances(state: State) -> dict[str, str]:
    import json

    return {
        f"{'res' if one['resource'] else 'fun'}-{one['id']}.json": json.dumps(one, indent=2) + "\n"
        for one in state["components"]
    }


def csv(state: State, samples: list[dict[str, Any]]) -> list[str]:
    owners = {each["id"]: one for one in state["components"] for each in one["instances"]}
    rows = ["metric,name,lid,timestamp,value"]
    for one in samples:
        owner = owners.get(one["id"], {"component": "", "id": ""})
        rows.append(f"{one['metric']},{owner['component']},{owner['id']},{one['at']:.6f},{one['value']}")
    return rows
