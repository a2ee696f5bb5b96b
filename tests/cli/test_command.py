import inspect
from typing import Annotated, NamedTuple

import pytest
import typer
from typer.testing import CliRunner

from attacca.cli.command import VerbCommand, gathered

Size = Annotated[int, typer.Option("--size", "-s", help="How much.")]


class Common(NamedTuple):
    size: Size = 3
    name: Annotated[str, typer.Option("--name")] = ""


@pytest.mark.long
def test_options_in_common_are_those_of_each_verb_in_their_place() -> None:
    told: list[object] = []
    app = typer.Typer(add_completion=False)

    @app.command(cls=VerbCommand)
    @gathered
    def verb(*, first: bool = False, common: Common, last: Annotated[str, typer.Option()] = "end") -> None:
        told.append((first, common, last))

    assert list(inspect.signature(verb).parameters) == ["first", "size", "name", "last"]
    assert CliRunner().invoke(app, ["-s", "7", "--name", "x", "--first"]).exit_code == 0
    assert CliRunner().invoke(app, []).exit_code == 0
    assert told == [(True, Common(7, "x"), "end"), (False, Common(), "end")]
    assert CliRunner().invoke(app, ["--size", "much"]).exit_code == 2
