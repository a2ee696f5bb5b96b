"""Options of the verbs that start planes: in groups, since several verbs have the same ones."""

from typing import Annotated, NamedTuple

import typer

from attacca.cli.options import ConfigFile

PANEL, SERVER_PANEL, POLICY_PANEL = "Cluster", "Server", "Worker and policies"
SETTINGS = {  # of options that have another name
    "name": "cluster.name",
    "certs": "cluster.certs",
    "listen": "cluster.listen",
    "advertise": "cluster.advertise",
    "domain": "workflows.domain",
    "federation": "federation.join",
}

Host = Annotated[
    str | None,
    typer.Option("--host", metavar="HOST", help="Where to listen. Default: 127.0.0.1.", rich_help_panel=SERVER_PANEL),
]
Port = Annotated[
    int | None, typer.Option("--port", metavar="PORT", help="Default: 8080; 0 for any.", rich_help_panel=SERVER_PANEL)
]
Public = Annotated[
    bool | None,
    typer.Option(
        "--public", help="Anybody may call functions: no token, any Host, any site.", rich_help_panel=SERVER_PANEL
    ),
]
Isolation = Annotated[
    str | None,
    typer.Option(
        "--isolation", metavar="process|none", help="none: only for code you trust.", rich_help_panel=POLICY_PANEL
    ),
]
Memory = Annotated[
    int | None,
    typer.Option(
        "--memory", metavar="MB", help="For all sandboxes. Default: 75 % of what is free.", rich_help_panel=POLICY_PANEL
    ),
]
MemoryLimits = Annotated[
    str | None,
    typer.Option(
        "--memory-limits",
        metavar="enforce|watch",
        help="watch: start without cgroups, too.",
        rich_help_panel=POLICY_PANEL,
    ),
]
Cores = Annotated[
    int | None, typer.Option("--cores", metavar="N", help="Default: all there are.", rich_help_panel=POLICY_PANEL)
]
Queueing = Annotated[
    str | None,
    typer.Option(
        "--queueing", metavar="POLICY", help="Who is next: a name or module:Class.", rich_help_panel=POLICY_PANEL
    ),
]
Concurrency = Annotated[
    str | None,
    typer.Option("--concurrency", metavar="POLICY", help="How many run at once.", rich_help_panel=POLICY_PANEL),
]
Keepalive = Annotated[
    str | None,
    typer.Option("--keepalive", metavar="POLICY", help="Who is evicted, and when.", rich_help_panel=POLICY_PANEL),
]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Any setting, as `attacca config` lists them. Repeatable."),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="A line for each invocation and deployment.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No banner.")]
Lifeline = Annotated[
    bool, typer.Option("--lifeline", help="Drain when standard input, a pipe, is closed too.", hidden=True)
]
PlaneName = Annotated[
    str | None,
    typer.Option("--name", metavar="NAME", help="Among all planes. Default: its machine's.", rich_help_panel=PANEL),
]
ControlAt = Annotated[
    str | None,
    typer.Option(
        "--control",
        metavar="HOST:PORT[,...]",
        help="Where control listens for others. Default: 127.0.0.1:7700.",
        rich_help_panel=PANEL,
    ),
]
Listen = Annotated[
    str | None,
    typer.Option("--listen", metavar="HOST:PORT", help="Where to listen for other planes.", rich_help_panel=PANEL),
]
Advertise = Annotated[
    str | None,
    typer.Option(
        "--advertise", metavar="HOST", help="Where others reach it, if not as it listens.", rich_help_panel=PANEL
    ),
]


Certs = Annotated[
    str | None,
    typer.Option(
        "--certs",
        metavar="DIR",
        help="What `attacca certs` made; needed beyond loopback.",
        rich_help_panel=PANEL,
    ),
]
DomainName = Annotated[
    str | None,
    typer.Option("--domain", metavar="NAME", help="Among those of its federation.", rich_help_panel=PANEL),
]
FederationAt = Annotated[
    str | None,
    typer.Option(
        "--federation",
        metavar="HOST:PORT[,...]",
        help="Where `attacca federation` listens for domains; they join it.",
        rich_help_panel=PANEL,
    ),
]


class Listening(NamedTuple):
    """Over HTTP."""

    host: Host = None
    port: Port = None


class Member(NamedTuple):
    """Of a cluster."""

    name: PlaneName = None
    certs: Certs = None


class Federated(NamedTuple):
    """Of a federation of domains."""

    domain: DomainName = None
    federation: FederationAt = None


class Linked(NamedTuple):
    """Where others dial it."""

    listen: Listen = None
    advertise: Advertise = None


class Working(NamedTuple):
    """What a worker has, and how it decides."""

    isolation: Isolation = None
    memory_mb: Memory = None
    memory_limits: MemoryLimits = None
    cores: Cores = None
    queueing: Queueing = None
    concurrency: Concurrency = None
    keepalive: Keepalive = None


class Started(NamedTuple):
    """How it is started."""

    assignments: Assignments = None
    file: ConfigFile = ""
    verbose: Verbose = False
    quiet: Quiet = False
    lifeline: Lifeline = False


def said(*groups: Listening | Member | Federated | Linked | Working) -> dict[str, tuple[object, str]]:
    """Of each setting in these what was given, and by which option."""
    return {
        SETTINGS.get(field, field): (value, f"--{field.removesuffix('_mb').replace('_', '-')}")
        for group in groups
        for field, value in group._asdict().items()
    }


def split(addresses: str | None) -> list[str] | None:
    return None if addresses is None else [address.strip() for address in addresses.split(",") if address.strip()]
