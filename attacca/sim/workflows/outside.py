"""Who orchestrates a simulated domain from outside: reads its state as a program would, and pushes intents."""

import runpy
from collections.abc import Callable
from pathlib import Path
from random import Random  # noqa: TID251 - a type only: the stream itself is the kernel's
from typing import Any, Final, Protocol

import msgspec

from attacca.errors import BadConfig
from attacca.workflow.core.state import DomainState

RESTLESS: Final = "restless"
NOBODY: Final = "nobody"
Obey = Callable[[Any], str]  # an intent, as JSON has it; the answer is its outcome


class Outside(Protocol):
    def look(self, state: DomainState, seconds: float, obey: Obey) -> None:
        """So many seconds after the time before."""


class Restless:
    """Moves this and that anywhere, cordons and uncordons, and says what makes no sense."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._looks = 0

    def __repr__(self) -> str:
        return f"<Restless, {self._looks} looks>"

    def look(self, state: DomainState, seconds: float, obey: Obey) -> None:
        self._looks += 1
        chance = self._chance
        nodes = [node.name for node in state.nodes] or ["w0"]
        components = [one.name for one in state.components] or ["nothing"]
        kind = chance.choice(("migrate", "migrate", "migrate", "cordon", "uncordon", "nonsense"))
        if kind == "migrate":
            obey({"intent": kind, "component": chance.choice(components), "to": [chance.choice([*nodes, "nowhere"])]})
        elif kind == "nonsense":
            obey({"intent": "migrate", "component": chance.choice((7, "", None)), "to": chance.choice(([], "w0", [3]))})
        else:
            obey({"intent": kind, "node": chance.choice(nodes)})


class Program:
    """The file of a program that decides with `shares` and `moves`, as the worked example does."""

    def __init__(self, path: str) -> None:
        """
        Raises:
            BadConfig: there is no such file, or it has no such functions.
        """
        hint = "examples/orchestrator/orchestrator.py has them, or say restless"
        if not Path(path).is_file():
            raise BadConfig(f"system.outside: there is no file {path!r}", hint)
        try:
            names = runpy.run_path(path, run_name="outside")
        except Exception as error:
            raise BadConfig(f"system.outside: {path!r} cannot be run: {error!r}", hint) from error
        missing = [name for name in ("shares", "moves") if not callable(names.get(name))]
        if missing:
            raise BadConfig(f"system.outside: {path!r} has no function {missing[0]!r}", hint)
        self._shares, self._moves = names["shares"], names["moves"]
        self._before: Any = None

    def __repr__(self) -> str:
        return f"<Program {'before its first look' if self._before is None else 'that has looked'}>"

    def look(self, state: DomainState, seconds: float, obey: Obey) -> None:
        now = msgspec.json.decode(msgspec.json.encode(state))
        before, self._before = self._before, now
        if before is not None and now["nodes"]:
            for intent in self._moves(self._shares(before, now, seconds)):
                if obey(intent) == "do":
                    return


def outside(name: str, chance: Random) -> Outside | None:
    """
    Raises:
        BadConfig: it is no program that could decide.
    """
    if name in ("", NOBODY):
        return None
    return Restless(chance) if name == RESTLESS else Program(name)
