"""Files of the laboratory: traces of every format, and scenarios; only errors of ours, which name the file."""

import contextlib
import gzip
import json
import math
import pickle
import shutil
import tempfile
from pathlib import Path
from random import Random

import numpy as np
import polars as pl

from attacca.errors import BadConfig, BadTrace
from attacca.load.traces.formats import FORMATS, detect, read
from attacca.load.traces.reading import Reading
from attacca.load.traces.types import INVOCATION_SCHEMA, Source
from attacca.load.traces.writing import write
from attacca.load.workload import scenario
from tests.fuzz.door import Door, refusal
from tests.fuzz.mutation import NUMBERS, UNICODE, mutate
from tests.load.traces.made import azure, events

AMONG = 8  # one trap in so many
WALKED = 10_000  # invocations
SCENARIO = Path(__file__).parents[3] / "examples" / "lab"
DEEP = b"[" * 3000
FIELDS = (
    *(b'"', b'""', b'"a', b"\0", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\r", b",", b",,", b"\n\n", b"NaN", b"null"),
    *(b"-1", b"1e999", b"1_0", b" 1", b"0x1", b"1" * 5000, b"9" * 400, b"1e300", b"1e18", b"-1e300", b"4294967295"),
    *(b"4294967296", b"2147483648", b"1e15", b"{}", b"[1]", DEEP, b'{"a":' * 2000, b"a" * 140_000, b"true"),
    *(word.encode("utf-8", "surrogatepass") for word in (*UNICODE, *NUMBERS)),
)
ROWS = (("a", "f", 1.0, 5.0), ("a", "g", 2.5, 10.0), ("b", "h", 61.0, 20.0), ("a", "f", 62.0, 6.0))


class Place:
    """A trace on the disk, one of whose files is another for each input."""

    def __init__(self, root: Path, given: Path | None = None, packs: str = "") -> None:
        self.given = given or root  # what a reader is pointed at
        self.packs = packs  # files of this ending are compressed on their way
        self.files = sorted(one for one in (root.rglob("*") if root.is_dir() else [root]) if one.is_file())
        self.sound = [self.unpacked(one) for one in self.files]

    def unpacked(self, file: Path) -> bytes:
        content = file.read_bytes()
        return gzip.decompress(content) if self.packs and file.suffix == self.packs else content

    def put(self, number: int, content: bytes) -> None:
        file = self.files[number]
        packs = self.packs and file.suffix == self.packs
        file.write_bytes(gzip.compress(content, 1, mtime=0) if packs else content)


class Traces(Door):
    """An input: which place, which of its files, and what is in that."""

    name = "traces"
    largest = 160 * 1024
    words = FIELDS
    may_cost = 1e9  # a file is read by who has it

    def open(self) -> None:
        self._room = Path(tempfile.mkdtemp(prefix="attacca-fuzz-"))
        self._places = {**written(self._room), **made(self._room)}
        self._names = sorted(self._places)

    def close(self) -> None:
        shutil.rmtree(self._room)

    def seeds(self) -> list[bytes]:
        return [
            bytes((number, file)) + content
            for number, name in enumerate(self._names)
            for file, content in enumerate(self._places[name].sound)
        ]

    def traps(self) -> list[bytes]:
        found = []
        for number, name in enumerate(self._names):
            for file, content in enumerate(self._places[name].sound):
                begin = bytes((number, file))
                found += [
                    begin,
                    begin + b"\0",
                    begin + content[: len(content) // 2],
                    begin + content[:-9],
                    begin + DEEP,
                ]
                found += [begin + content + DEEP, begin + b"\xff\xfe" + content.decode("latin-1").encode("utf-16-le")]
                found += [begin + one for one in altered(content)[number % AMONG :: AMONG]]
        return found

    def make(self, chance: Random, corpus: list[bytes]) -> bytes:
        seed = chance.choice(corpus)
        if chance.random() < 0.5:
            rest = chance.choice(altered(seed[2:], chance) or [b""])
            return (seed[:2] + rest)[: self.largest]
        return (seed[:2] + mutate(chance, [one[2:] for one in corpus[:60]] + [seed[2:]], self.words))[: self.largest]

    def check(self, data: bytes) -> str:
        if len(data) < 2:
            return "refused: there is no place"
        name = self._names[data[0] % len(self._names)]
        place = self._places[name]
        number = data[1] % len(place.files)
        place.put(number, data[2:])
        refused: BadTrace | BadConfig | None = None
        try:
            if name == "scenario":
                settles(place.files[number])
            else:
                walks(place.given, name.partition("-")[0])
        except (BadTrace, BadConfig) as error:
            refused = error
        finally:
            place.put(number, place.sound[number])
        if refused is None:
            return "taken"
        assert str(self._room) in refused.message, "it does not say where"
        return refusal(refused)


# The oracle.


def settles(file: Path) -> None:
    found = scenario.read(file)
    assert found.functions or found.workflows or found.workload.trace, "there is nothing to run"


def walks(path: Path, name: str) -> None:
    with contextlib.suppress(BadTrace):
        detect(path)
    source = read(path, name, Reading())
    total = sound(source)
    assert total in (None, source.functions["invocations"].sum()) or name == "attacca", "not all are counted that come"
    sound(source.window(0, 1))
    if source.functions.height > 1:
        sound(source.only([1, 0]))


def sound(source: Source) -> int | None:
    """How many invocations there are, each of which has its place; None: too many to walk."""
    table = source.functions
    assert math.isfinite(source.length_s), "it has no length"
    assert source.length_s >= 0, "it is shorter than nothing"
    assert table["function"].n_unique() == table.height, "a function is there twice"
    assert table["memory_mb"].min() is None or table["memory_mb"].min() >= 0, "less memory than none"  # type: ignore[operator]
    json.dumps([source.length_s, *source.notes])
    if (table["invocations"].sum() or 0) > WALKED:
        return None
    latest, seen = 0.0, 0
    for chunk in source.invocations():
        assert chunk.schema == pl.Schema(INVOCATION_SCHEMA), "it has other columns"
        arrivals, durations = chunk["arrival_s"].to_numpy(), chunk["duration_ms"].to_numpy()
        assert np.all(np.isfinite(arrivals)) and np.all(np.isfinite(durations)), "a number has no end"  # noqa: PT018
        assert np.all(durations >= 0), "it takes less than no time"
        assert np.all(np.diff(arrivals) >= 0), "arrivals do not ascend"
        assert arrivals[0] >= latest, "arrivals do not ascend from one chunk to the next"
        assert arrivals[-1] < source.length_s, "it arrives after the end"
        assert chunk["function"].max() < table.height, "it is of no function"  # type: ignore[operator]
        latest, seen = arrivals[-1], seen + chunk.height
    return seen


# Traces.


def written(room: Path) -> dict[str, Place]:
    """What our own code writes in each format."""
    found = {}
    for name in FORMATS:
        root = room / name
        path = root / "trace.csv" if name == "azure2021" else root
        write(events(ROWS), path, name)
        found[name] = Place(root, path)
    return found


def made(room: Path) -> dict[str, Place]:
    """And what others do: compressed, in parquet, pickled."""
    zipped, packed = room / "zipped.csv.gz", room / "packed.csv.gz"
    plain = (room / "azure2021" / "trace.csv").read_bytes()
    for path in (zipped, packed):
        path.write_bytes(gzip.compress(plain, mtime=0))
    week = {"NamespaceHash": ["n"], "AppHash": ["a"], "InvocationTimes": [[1.0, 2.0]], "AppExecTimes": [[3.0, 4.0]]}
    config = {"AppHash": ["a"], "AppContainerRequestMemory": ["1G"]}
    for folder in ("parquet", "pickled"):
        (room / folder).mkdir()
    pl.DataFrame(week).write_parquet(room / "parquet" / "week_1.parquet")
    pl.DataFrame(config).write_parquet(room / "parquet" / "app_configs.parquet")
    (room / "pickled" / "week_1.pickle").write_bytes(pickle.dumps(week))
    (room / "pickled" / "app_configs.pickle").write_bytes(pickle.dumps(config))
    (room / "scenarios").mkdir()
    for one in sorted(SCENARIO.glob("*.toml"))[:3]:
        shutil.copy(one, room / "scenarios")
    azure(room / "invitro", {("a", "f"): [1, 0, 2], ("a", "g"): [0, 1, 0]})
    return {
        "azure2021-zipped": Place(zipped), "azure2021-packed": Place(packed, packs=".gz"),
        "ibm2026-parquet": Place(room / "parquet"), "ibm2026-pickled": Place(room / "pickled"),
        "azure2019-invitro": Place(room / "invitro"), "scenario": Place(room / "scenarios"),
    }  # fmt: skip


def altered(content: bytes, chance: Random | None = None) -> list[bytes]:
    """One field is another."""
    chance = chance or Random(len(content))
    ends = [at for at, byte in enumerate(content) if byte in b',\n:=[]" {}']
    if len(ends) < 2:
        return []
    found = []
    for word in FIELDS if len(content) < 3000 else FIELDS[:30]:
        at = chance.randrange(len(ends) - 1)
        found.append(content[: ends[at] + 1] + word + content[ends[at + 1] :])
    return found
