"""Many scenarios out of one: every combination of what is varied, once for each seed."""

import contextlib
import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from attacca.errors import BadConfig
from attacca.load.workload.choices import FAMILIES, choice, parted, value_of
from attacca.load.workload.scenario import Scenario
from attacca.sim.record.sources import code, plugins

HINT: Final = "write it as --set system.keepalive=lru,ttl or --set functions.NAME.memory_mb=128,256"
PARTS: Final = ("workload", "functions", "system", "hardware", "faults", "record")


class Axis(msgspec.Struct, frozen=True):
    key: str  # as in the scenario's file, dotted
    values: tuple[str, ...]


class Cell(msgspec.Struct, frozen=True):
    """One run of a study."""

    choices: tuple[tuple[str, str], ...]  # key and value, in the order of the axes
    scenario: Scenario  # its seed included
    key: str  # the same for the same scenario, seed and mark
    mark: str = ""  # of all else that the outcome depends on

    @property
    def label(self) -> str:
        return " ".join(f"{key.rpartition('.')[2]}={value}" for key, value in self.choices) or self.scenario.name


def parse(setting: str) -> Axis:
    """`worker.keepalive=lru,ttl:idle_s=60`: `worker.` may stand for `system.`, as it does for a server.

    Raises:
        BadConfig: it is not a key and its values.
    """
    key, equals, values = setting.partition("=")
    key = key.strip()
    found = tuple(value.strip() for value in parted(values, ",") if value.strip())
    if not (key and equals and found):
        raise BadConfig(f"--set {setting!r} names no key or no values", HINT)
    first, dot, rest = key.partition(".")
    if key in FAMILIES or first in FAMILIES:
        key = f"system.{key}"
    elif first == "worker":
        key = f"system{dot}{rest}"
    return Axis(key, found)


def expand(
    scenario: Scenario, axes: Sequence[Axis], seeds: Sequence[int], mark_of: Callable[[Scenario], str] = lambda _: ""
) -> list[Cell]:
    """Configuration by configuration, seed by seed. `mark_of`: all else that the outcome depends on, code and trace.

    Raises:
        BadConfig: a key does not exist or cannot take a value; it is named.
    """
    if any(axis.key == "seed" for axis in axes):
        raise BadConfig("--set seed: every configuration is run with the same seeds", "--seeds 1,2,3 says which")
    cells = []
    for values in itertools.product(*(axis.values for axis in axes)):
        choices = tuple((axis.key, value) for axis, value in zip(axes, values, strict=True))
        varied = vary(scenario, dict(choices))
        mark = mark_of(varied)
        for seed in seeds:
            one = msgspec.structs.replace(varied, seed=seed)
            cells.append(Cell(choices, one, key_of(one, mark), mark))
    return cells


def vary(scenario: Scenario, choices: Mapping[str, str]) -> Scenario:
    """
    Raises:
        BadConfig: a key does not exist or cannot take a value; it is named.
    """
    try:
        return _varied(scenario, choices, "")
    except msgspec.ValidationError as error:
        for key in choices:  # a path that is called 2019 is a text
            with contextlib.suppress(msgspec.ValidationError):
                return _varied(scenario, choices, key)
        told = ", ".join(f"{key}={value}" for key, value in choices.items())
        raise BadConfig(f"--set {told}: {error}", "docs/laboratory.md lists every key") from None


def _varied(scenario: Scenario, choices: Mapping[str, str], text: str) -> Scenario:
    """`text`: the key whose value is taken as it is written."""
    plain = msgspec.json.decode(msgspec.json.encode(scenario))
    for key, value in choices.items():
        _assign(plain, key, value, str if key == text else value_of)
    return msgspec.convert(plain, Scenario)


def _assign(plain: dict[str, object], key: str, value: str, read: Callable[[str], object]) -> None:
    place: object = plain
    *path, last = key.split(".")
    for number, name in enumerate(path):
        place = _step(place, name, key)
        rest = [*path[number + 1 :], last]
        if isinstance(place, dict) and "policy" in place and rest[0] not in ("policy", "options"):
            place.setdefault("options", {})[".".join(rest)] = read(value)  # an option of a policy
            return
    if isinstance(place, list):
        place[_index(place, last, key)] = read(value)
        return
    if not isinstance(place, dict):
        raise BadConfig(f"--set {key}: there is no such key", HINT)
    now = place.get(last)
    place[last] = choice(value).plain() if isinstance(now, dict) and "policy" in now else read(value)


def _step(place: object, name: str, key: str) -> object:
    if isinstance(place, list):
        return place[_index(place, name, key)]
    if isinstance(place, dict) and name in place:
        if place[name] is None:  # a table that the file leaves out
            place[name] = {}
        return place[name]
    raise BadConfig(f"--set {key}: there is no {name!r} in it", f"tables: {', '.join(PARTS)}; {HINT}")


def _index(place: list[object], name: str, key: str) -> int:
    """Of a list's entry, by number or by the name that it has."""
    for index, entry in enumerate(place):
        if str(index) == name or (isinstance(entry, dict) and entry.get("name") == name):
            return index
    raise BadConfig(f"--set {key}: there is no {name!r} in it", HINT)


def key_of(scenario: Scenario, mark: str) -> str:
    """Words about a scenario change nothing of what it does."""
    plain = msgspec.structs.replace(scenario, about="")
    content = msgspec.json.encode(plain, order="sorted") + mark.encode()
    return hashlib.blake2b(content, digest_size=10).hexdigest()


def fingerprint(scenario: Scenario, package: Path) -> str:
    """Of the code that simulates, of the policies that others wrote, and of the trace that is read: when one of them
    changes, nothing cached holds."""
    digest = hashlib.blake2b(code(package), digest_size=10)
    for name, content in plugins(scenario).items():
        digest.update(f"{name} {content}".encode())
    if scenario.workload.trace is not None:
        for path in _files(Path(scenario.workload.trace.path)):
            digest.update(f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns}".encode())
    return digest.hexdigest()


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        yield from (one for one in sorted(path.rglob("*")) if one.is_file())
