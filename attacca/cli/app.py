"""The entry of `attacca`: one verb per module, loaded when it is called, so that every start is quick."""

import importlib
from functools import cache
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from attacca import __version__
from attacca.cli.command import QuickStart, VerbCommand

RUN, FUNCTIONS, WORKFLOWS, WATCH, MACHINE, CLUSTER, LABORATORY = (
    "Run",
    "Functions",
    "Workflows",
    "Watch",
    "Machine",
    "Cluster",
    "Laboratory",
)
HELP = {"help_option_names": ["-h", "--help"]}
VERBS = {  # in the order of the help: panel, where its module is, and what it does
    "up": (RUN, "serve", "Start everything on this machine: gateway, control and a worker."),
    "init": (RUN, "functions", "Write a new function to start from."),
    "dev": (RUN, "functions", "Deploy a function, and again on every save; stream its logs."),
    "deploy": (FUNCTIONS, "functions", "Deploy a file or a directory as a function."),
    "build": (FUNCTIONS, "functions", "Make an image of a directory, without a daemon."),
    "invoke": (FUNCTIONS, "functions", "Invoke a function; with -n, many times, with a summary."),
    "call": (FUNCTIONS, "functions", "Look at asynchronous calls, wait for their answers, cancel them."),
    "dead": (FUNCTIONS, "functions", "List asynchronous calls that failed for good; try them anew, delete them."),
    "schedule": (FUNCTIONS, "functions", "List which functions are run by themselves, and when."),
    "list": (FUNCTIONS, "functions", "List the deployed functions."),
    "describe": (FUNCTIONS, "functions", "Show a function's settings, revisions and statistics."),
    "rollback": (FUNCTIONS, "functions", "Go back to an earlier revision."),
    "scale": (FUNCTIONS, "functions", "Change how many sandboxes a function has."),
    "delete": (FUNCTIONS, "functions", "Delete a function."),
    "prewarm": (FUNCTIONS, "functions", "Make idle sandboxes ahead of need."),
    "evict": (FUNCTIONS, "functions", "Let idle sandboxes go, so that the next start is a cold one."),
    "secret": (FUNCTIONS, "functions", "Set, list and delete what functions are given in confidence."),
    "registry": (FUNCTIONS, "functions", "List, fill and prune the server's registry of images."),
    "node": (WORKFLOWS, "workflows", "List, inspect and cordon nodes, which are workers as workflows see them."),
    "domain": (WORKFLOWS, "workflows", "List and inspect the domains of a federation."),
    "workflow": (WORKFLOWS, "workflows", "Start, list, inspect and stop workflows of event functions and resources."),
    "proxy": (
        WORKFLOWS,
        "workflows",
        "Show the domain as EDGELESS's tools do, and tell it what to do.",
    ),
    "edge": (WORKFLOWS, "workflows", "Start a domain of several nodes in a box; write settings to start from."),
    "logs": (WATCH, "watch", "Show what a function wrote."),
    "calls": (WATCH, "watch", "Show recent invocations and where their time went."),
    "explain": (WATCH, "watch", "Tell what happened to an invocation or a sandbox, and why."),
    "top": (WATCH, "watch", "Watch workers, functions and sandboxes live."),
    "status": (WATCH, "watch", "Show control, gateways and workers, and how busy they are."),
    "profile": (WATCH, "watch", "Draw where a plane of this machine spends its time."),
    "doctor": (MACHINE, "serve", "Check what this machine can do for isolation, and what is missing."),
    "energy": (MACHINE, "serve", "Write down what this machine spends, without a server."),
    "token": (MACHINE, "serve", "Create, list and revoke API tokens."),
    "config": (MACHINE, "serve", "Show the settings in force and where each comes from."),
    "control": (CLUSTER, "serve", "Start the control plane of a cluster; or show how sandboxes it ordered were made."),
    "gateway": (CLUSTER, "serve", "Start a gateway of a cluster."),
    "worker": (CLUSTER, "serve", "Start a worker of a cluster."),
    "federation": (CLUSTER, "serve", "Start the controller of a federation of several domains."),
    "remote": (CLUSTER, "serve", "Install, start and stop planes on other machines over OpenSSH."),
    "certs": (CLUSTER, "serve", "Make the certificates by which planes know one another."),
    "trace": (LABORATORY, "laboratory", "Look at traces, convert, cut, scale and sample them; make one up."),
    "scenario": (LABORATORY, "laboratory", "Check a scenario: what it will ask of the system."),
    "load": (LABORATORY, "laboratory", "Send load to a running server and record every invocation."),
    "bench": (LABORATORY, "laboratory", "Measure what each runtime of this machine costs, side by side."),
    "sim": (LABORATORY, "laboratory", "Simulate a scenario in virtual time; sweep, compare, calibrate."),
    "lab": (LABORATORY, "laboratory", "Replay Azure's trace, or raise the rate of cold starts, in one command."),
    "validate": (LABORATORY, "laboratory", "Run a scenario live and simulated, and tell how far apart they are."),
    "report": (LABORATORY, "laboratory", "Show recorded runs: one page, or text."),
}

EXAMPLES = """
attacca up  # in one terminal
attacca init hello && attacca deploy hello  # in another
attacca invoke hello -a name=bob
attacca invoke --help  # every verb has its own examples
"""


class Verbs(QuickStart, TyperGroup):
    """Lists verbs from the table above; imports a verb's module only when that verb runs."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """A stand-in with the summary: enough for help and completion."""
        if cmd_name not in VERBS:
            return None
        panel, _, summary = VERBS[cmd_name]
        return TyperCommand(cmd_name, help=summary, rich_help_panel=panel)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from attacca.cli.screens.help import show

        panels: dict[str, list[tuple[str, str]]] = {}
        for verb, (panel, _, summary) in VERBS.items():
            panels.setdefault(panel, []).append((verb, summary))
        show(ctx, self, EXAMPLES.strip().splitlines(), panels)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        self.commands.update(dict.fromkeys(VERBS, TyperCommand("")))  # so that a wrong verb is answered with near ones
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if name and command else command, rest


@cache
def load(verb: str) -> Any:
    """The command of one verb. A verb's module has `run` and `EXAMPLES`, or an `app` when it has verbs of its own."""
    module = importlib.import_module(f"attacca.cli.{VERBS[verb][1]}.{verb}")
    if hasattr(module, "app"):
        command = typer.main.get_command(module.app)
        command.name = verb
        return command
    single = typer.Typer(add_completion=False, rich_markup_mode=None, context_settings=HELP)
    single.command(verb, cls=VerbCommand, epilog=module.EXAMPLES)(module.run)
    return typer.main.get_command(single)


app = typer.Typer(
    name="attacca",
    cls=Verbs,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings=HELP,
)


def _version(wanted: bool) -> None:  # noqa: FBT001 - the shape of a typer callback
    if wanted:
        typer.echo(f"attacca {__version__}")
        raise typer.Exit


@app.callback()
def root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Serverless functions on your own machines."""


def main() -> None:
    from attacca.cli.screens import streams

    streams.prepare()
    with streams.said_when_they_fail():
        app()


if __name__ == "__main__":
    main()
