"""Options of the planes that run in processes of their own."""

from typing import Annotated

import typer

PANEL = "Cluster"

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


def split(addresses: str | None) -> list[str] | None:
    return None if addresses is None else [address.strip() for address in addresses.split(",") if address.strip()]
