"""`attacca lab dirigent`: functions are registered as at Dirigent, so that InVitro's loader drives attacca as it is."""

from pathlib import Path
from typing import Annotated

import typer

from attacca.cli.options import DEFAULT_URL, Json, Token, Url
from attacca.cli.screens.terminal import say, show_json
from attacca.client.http import Client
from attacca.errors import BadConfig
from attacca.kernel.access import is_loopback
from attacca.model.function import Scheduling

EXAMPLES = """
attacca up --set gateway.http2=true --set 'gateway.dialects=["dirigent"]'
attacca lab dirigent  # and DirigentControlPlaneIP "127.0.0.1:9091" in the loader's configuration
attacca lab dirigent --image docker.io/me/resize=./resize --scheduling worker
"""
Listen = Annotated[str, typer.Option("--listen", metavar="HOST:PORT", help="Where the loader registers functions.")]
Gateways = Annotated[
    str, typer.Option("--gateway", metavar="HOST:PORT,...", help="Where it calls them. Default: the server's own.")
]
Images = Annotated[
    list[str] | None,
    typer.Option("--image", metavar="NAME=PATH", help="The code that stands for an image. Repeatable."),
]
Mode = Annotated[Scheduling, typer.Option("--scheduling", help="Who decides for them.", metavar="cluster|worker")]


def dirigent(
    *,
    listen: Listen = "127.0.0.1:9091",
    gateways: Gateways = "",
    images: Images = None,
    scheduling: Mode = Scheduling.CLUSTER,
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_json: Json = False,
) -> None:
    """Take registrations as Dirigent's control plane does, until Ctrl-C.

    Every image is a function that computes as long as each request says, as InVitro's does, unless --image names
    code for it.
    """
    from attacca.lab.dirigent import registrar

    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise BadConfig(f"--listen {listen!r} is no address", "give HOST:PORT, like 127.0.0.1:9091")
    if not is_loopback(host):
        raise BadConfig(
            f"--listen {host} can be reached from elsewhere, and the loader shows no token",
            "listen on 127.0.0.1, and let the loader come through ssh -L 9091:127.0.0.1:9091",
        )
    client = Client(url, token)
    at = [place.strip() for place in gateways.split(",") if place.strip()] or [client.url.partition("://")[2]]
    server = registrar.Registrar(host, int(port), registrar.Server(client, _paths(images or []), at), scheduling)
    where = f"http://{host}:{server.server_address[1]}"
    if as_json:
        show_json({"registrations": where, "functions": at})
    say(f"Registrations at {where}, functions at {', '.join(at)}.", "green")
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        say("Stopped; what was registered stays.")
    finally:
        server.server_close()
        client.close()


def _paths(images: list[str]) -> dict[str, Path]:
    named = dict(image.rpartition("=")[::2] for image in images)
    for name, path in named.items():
        if not name or not Path(path).exists():
            raise BadConfig(f"--image {name}={path}: there is no such code", "give NAME=PATH of a function")
    return {name: Path(path) for name, path in named.items()}
