"""`attacca scale`: how many sandboxes a function has, from now on."""

from typing import Annotated, Any

import typer

from attacca.cli.options import DEFAULT_URL, Json, Name, Token, Url
from attacca.cli.screens.terminal import say, show_json
from attacca.client.http import Client, quoted
from attacca.errors import BadConfig
from attacca.kernel.settings import read_assignments

EXAMPLES = """
attacca scale hello --min 1 --max 20
attacca scale hello --policy knative --target 2 --set stable_s=30
attacca scale hello --no-max --placement kubernetes
"""

Least = Annotated[int | None, typer.Option("--min", metavar="N", min=0, help="Sandboxes at least.", show_default=False)]
Most = Annotated[int | None, typer.Option("--max", metavar="N", min=1, help="Sandboxes at most.", show_default=False)]
NoMost = Annotated[bool, typer.Option("--no-max", help="As many as there is room for.")]
Policy = Annotated[
    str | None,
    typer.Option("--policy", metavar="NAME", help="Of scaling: knative, fixed, ...", show_default=False),
]
Target = Annotated[
    float | None, typer.Option("--target", metavar="N", help="The policy's option of that name.", show_default=False)
]
Options = Annotated[list[str] | None, typer.Option("--set", metavar="K=V", help="Another option. Repeatable.")]
Where = Annotated[str | None, typer.Option("--placement", metavar="NAME", help="On which workers.", show_default=False)]


def run(
    name: Name,
    *,
    least: Least = None,
    most: Most = None,
    no_most: NoMost = False,
    policy: Policy = None,
    target: Target = None,
    options: Options = None,
    placement: Where = None,
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_json: Json = False,
) -> None:
    """Change how many sandboxes a function has, without a new revision: what runs goes on.

    Policies are for functions with scheduling = "cluster". What is not named stays as it is; the next deployment
    has the last word, with what function.toml says.
    """
    wanted = asked(least, most, policy, target, options or [], placement, no_most=no_most)
    with Client(url, token) as client:
        now = client.json("POST", f"/api/functions/{quoted(name)}/scale", wanted)
    if as_json:
        show_json(now)
    else:
        say(f"{name} has {words(now)} from now on.", "green")


def asked(
    least: int | None,
    most: int | None,
    policy: str | None,
    target: float | None,
    options: list[str],
    placement: str | None,
    *,
    no_most: bool,
) -> dict[str, Any]:
    """
    Raises:
        BadConfig: nothing is to change, or it cannot be understood.
    """
    if most is not None and no_most:
        raise BadConfig("--max and --no-max are opposites", "leave one of them out")
    scaling: dict[str, Any] = {key: given.value for key, given in read_assignments(options).items()}
    scaling |= {key: value for key, value in (("policy", policy), ("target", target)) if value is not None}
    named = {"min_sandboxes": least, "max_sandboxes": most, "scaling": scaling or None, "placement": placement}
    wanted: dict[str, Any] = {key: value for key, value in named.items() if value is not None}
    if no_most:
        wanted["max_sandboxes"] = None
    if not wanted:
        raise BadConfig("nothing is to change", "attacca scale NAME --min 1 --max 20")
    return wanted


def words(now: dict[str, Any]) -> str:
    most = now["max_sandboxes"]
    bounds = f"{now['min_sandboxes']} sandboxes at least, {'any number' if most is None else most} at most"
    options = ", ".join(f"{key} {value}" for key, value in now["scaling"].items() if key != "policy")
    policy = now["scaling"].get("policy", "the policy of the server")
    decided = f", by {policy}" if now["scheduling"] == "cluster" else ""
    where = f", placed by {now['placement']}" if now["placement"] else ""
    return f"{bounds}{decided}{f' ({options})' if options else ''}{where}"
