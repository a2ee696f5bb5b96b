"""`attacca token`: API tokens, in the store itself, whether or not a server runs on it."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

import typer

from attacca.cli.command import VerbCommand, VerbGroup
from attacca.cli.options import ConfigFile, Json, StateDir
from attacca.cli.screens.terminal import console, paint, say, seconds, show_json

app = typer.Typer(
    cls=VerbGroup,
    help="Create, list and revoke API tokens. They lie in the store, so that one can be made before `up`.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
CREATE = """
attacca token create --name laptop
export ATTACCA_TOKEN=$(attacca token create)
attacca token create && attacca up --host 0.0.0.0
"""
LIST = "attacca token list"
JOIN = """
attacca token join
export ATTACCA_JOIN_TOKEN=$(attacca token join)
attacca token join --renew  # planes that have the one before are refused when they come anew
"""
REVOKE = "attacca token revoke 3f2a90bc"

TokenName = Annotated[str, typer.Option("--name", metavar="NAME", help="For whom or what it is.", show_default=False)]
TokenId = Annotated[str, typer.Argument(metavar="ID", help="As `attacca token list` shows it.", show_default=False)]


@app.command("create", cls=VerbCommand, epilog=CREATE)
def create(*, name: TokenName = "", state_dir: StateDir = "", file: ConfigFile = "", as_json: Json = False) -> None:
    """Make a token and print it, this once; only its digest is kept."""
    token, secret = asyncio.run(_with_tokens(state_dir, file, lambda tokens: tokens.create(name)))
    if as_json:
        show_json({"id": token.id, "name": token.name, "created_at": token.created_at, "token": secret})
        return
    sys.stdout.write(secret + "\n")
    sys.stdout.flush()
    say(paint(f"Token {token.id}{' for ' + name if name else ''}; it is not shown again.", "dim", sys.stderr))
    say(paint("Use it as ATTACCA_TOKEN, or as `Authorization: Bearer ...`.", "dim", sys.stderr))


@app.command("list", cls=VerbCommand, epilog=LIST)
def list_tokens(*, state_dir: StateDir = "", file: ConfigFile = "", as_json: Json = False) -> None:
    """List the tokens there are; the secrets themselves are not kept."""
    tokens = asyncio.run(_with_tokens(state_dir, file, lambda tokens: tokens.all()))
    rows = [{"id": token.id, "name": token.name, "created_at": token.created_at} for token in tokens]
    if as_json:
        show_json(rows)
    elif not rows:
        say("There is no token.")
        say("  Try: attacca token create")
    else:
        from attacca.kernel.clock import SystemClock

        show(rows, SystemClock().wall())


@app.command("revoke", cls=VerbCommand, epilog=REVOKE)
def revoke(token_id: TokenId, *, state_dir: StateDir = "", file: ConfigFile = "", as_json: Json = False) -> None:
    """Make a token worthless; a running server hears of it within a second."""
    asyncio.run(_with_tokens(state_dir, file, lambda tokens: tokens.delete(token_id)))
    if as_json:
        show_json({"revoked": token_id})
    else:
        say(f"Token {token_id} is worthless now.", "green")


@app.command("join", cls=VerbCommand, epilog=JOIN)
def join(
    *,
    renew: Annotated[bool, typer.Option("--renew", help="Make another; control has to be started anew.")] = False,
    state_dir: StateDir = "",
    file: ConfigFile = "",
    as_json: Json = False,
) -> None:
    """Print what gateways and workers show to join the cluster of this state directory."""
    token = asyncio.run(_with_tokens(state_dir, file, lambda tokens: tokens.join(renew=renew)))
    if as_json:
        show_json({"token": token})
    else:
        sys.stdout.write(token + "\n")
        sys.stdout.flush()


def show(rows: list[dict[str, Any]], now: float, width: int | None = None) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("id", style="cyan")
    table.add_column("name")
    table.add_column("made", justify="right", style="dim")
    for row in rows:
        table.add_row(row["id"], row["name"] or "-", f"{seconds(now - row['created_at'])} ago")
    console(width=width).print(table)


async def _with_tokens(flag: str, file: str, work: Callable[[Any], Awaitable[Any]]) -> Any:
    from attacca.cli.serve.configuration import where_state_is
    from attacca.control.deploy.state import StateDir as Directory
    from attacca.control.tokens import Tokens
    from attacca.io.store.opening import is_beside, open_store
    from attacca.kernel.clock import SystemClock

    state_dir, config = where_state_is(flag, file)
    directory = Directory(state_dir)
    directory.make()
    if is_beside(config):
        directory.expect_database()
    store = await open_store(config, directory.database, SystemClock())
    try:
        return await work(Tokens(store, SystemClock()))
    finally:
        await store.close()
