"""What EDGELESS's proxy_cli, as it is, printed of these keys; and that they are read so."""

import asyncio
from pathlib import Path

import pytest

from attacca.workflow.mirror.config import Shape
from attacca.workflow.mirror.memory import MemoryGlass
from attacca.workflow.mirror.reflection import Reflection
from tests.workflow.mirror.reading import Reader
from tests.workflow.mirror.test_keys import STATE

RECORDED = Path(__file__).with_name("proxy_cli.txt").read_text()


def recorded() -> dict[str, list[str]]:
    """By command, what it printed."""
    found: dict[str, list[str]] = {}
    for line in RECORDED.splitlines():
        if line.startswith("$ proxy_cli "):
            lines = found[line.removeprefix("$ proxy_cli ")] = []
        else:
            lines.append(line)
    return found


@pytest.mark.parametrize("shape", [Shape.NEWEST, Shape.BOTH])
def test_proxy_cli_reads_what_is_written(shape: Shape) -> None:
    async def main() -> MemoryGlass:
        glass, reflection = MemoryGlass(), Reflection("", shape)
        await glass.begin("run")
        await glass.write("run", reflection.writes(STATE, [], 5.0, {}), 100.0)
        return glass

    data = asyncio.run(main()).data
    said = recorded()
    assert len(said) == 9
    for command, lines in said.items():
        form, _, what = command.rpartition("show ")
        reader = Reader(data, "uuid" if "uuid" in form else "hostname")
        assert reader.show(what) == lines, command
