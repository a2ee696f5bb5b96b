"""Options and arguments that many verbs share, declared once so that they mean and look the same everywhere."""

from typing import Annotated

import typer

DEFAULT_URL = "http://127.0.0.1:8080"


def complete_name(incomplete: str) -> list[str]:
    """Names of deployed functions, for the shell; silence when no server answers quickly."""
    import os

    from attacca.client.http import Client
    from attacca.errors import AttaccaError

    url, token = os.environ.get("ATTACCA_URL") or DEFAULT_URL, os.environ.get("ATTACCA_TOKEN", "")
    try:
        with Client(url, token, connect_s=0.5) as client:
            rows = client.functions()
    except AttaccaError:
        return []
    names = [str(row["function"]) for row in rows]
    return [name for name in names if name.startswith(incomplete) and name.isascii() and name.isprintable()]


Name = Annotated[
    str, typer.Argument(metavar="NAME", help="A deployed function.", autocompletion=complete_name, show_default=False)
]
MaybeName = Annotated[
    str,
    typer.Argument(
        metavar="[NAME]", help="A deployed function; all of them when left out.", autocompletion=complete_name,
        show_default=False,
    ),
]  # fmt: skip
Url = Annotated[
    str,
    typer.Option("--url", envvar="ATTACCA_URL", metavar="URL", help="The server.", rich_help_panel="Server"),
]
Token = Annotated[
    str,
    typer.Option(
        "--token",
        envvar="ATTACCA_TOKEN",
        metavar="TOKEN",
        help="What `attacca token create` printed; not needed on the server's own machine.",
        show_default=False,
        rich_help_panel="Server",
    ),
]
Csv = Annotated[bool, typer.Option("--csv", help="Print a table for programs, a line for each.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs, and nothing else on stdout.")]
ConfigFile = Annotated[
    str,
    typer.Option(
        "--config", metavar="FILE", envvar="ATTACCA_CONFIG", help="Settings of the server, in TOML.", show_default=False
    ),
]
StateDir = Annotated[
    str,
    typer.Option(
        "--state-dir",
        envvar="ATTACCA_STATE_DIR",
        metavar="DIR",
        help="Where functions and tokens are kept. Default: ~/.local/state/attacca.",
        show_default=False,
    ),
]
Mirrors = Annotated[
    list[str] | None,
    typer.Option("--mirror", envvar="ATTACCA_MIRRORS", metavar="HOST=MIRROR", help="Asked first. Repeatable."),
]
