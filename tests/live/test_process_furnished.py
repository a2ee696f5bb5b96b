"""What is born of a furnished zygote is as what has imported all that by itself, but for the time that it took."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from typing import Any

import msgspec
import pytest

from attacca.model.function import Network, PythonDirectory, Revision
from attacca.worker.core.reports import SandboxReady, TemplateReady
from attacca.worker.runtime.process.furnishing import PATHS
from attacca.worker.runtime.process.lineage import children
from attacca.worker.runtime.process.zygote import furniture
from attacca.worker.runtime.process.zygote_manager import ZygoteManager
from attacca.worker.runtime.process.zygotes import Kind
from tests.live import ordinary
from tests.live.house import House, value, visit
from tests.live.patience import PATIENCE_S

BORN_WITH = "import sys\nWITH = 'asyncio' in sys.modules\ndef handler(): return [WITH]\n"
LOOK = f"""
    import importlib, sys
    WITH = "asyncio" in sys.modules
    for name in {furniture.MODULES!r}:
        importlib.import_module(name)

    import logging, os, platform, random, secrets, signal, socket, ssl, tempfile, threading, uuid, warnings
    DIFFERS = "__main__", "os", "posix", "tokenize"  # variables, and what is in the order of a set
    PLAIN = str, bytes, int, float, complex, bool, type(None)

    def simple(value, depth=0):
        if isinstance(value, PLAIN):
            return True
        each = [*value, *value.values()] if type(value) is dict else value
        return type(each) in (list, tuple, set, frozenset) and depth < 3 and all(simple(one, depth + 1) for one in each)

    def shown(value):
        return sorted(map(repr, value)) if isinstance(value, set | frozenset) else repr(value)

    def known():
        standard = [name for name in sys.modules if name.partition(".")[0] in sys.stdlib_module_names]
        return {{
            f"{{name}}.{{word}}": shown(value)
            for name in sorted(standard)
            for word, value in sorted(vars(sys.modules[name]).items())
            if name not in DIFFERS and simple(value) and "addr" not in word and word != "_startTime"
        }}

    def process():
        return {{
            "threads": threading.active_count(),
            "tasks": len(os.listdir("/proc/self/task")),
            "descriptors": sorted(os.listdir("/proc/self/fd")),
            "signals": [repr(signal.getsignal(one)) for one in sorted(signal.valid_signals())],
            "filters": repr(warnings.filters),
            "path": sys.path,
            "meta": [repr(one) for one in sys.meta_path],
            "variables": dict(os.environ),
            "names": [platform.node(), socket.gethostname(), tempfile.gettempdir()],
            "multiprocessing": "multiprocessing" in sys.modules,
            "tests": "test" in sys.modules,
        }}

    def draw():
        ids = uuid.uuid1().hex, uuid.uuid4().hex
        return [random.random(), ssl.RAND_bytes(8).hex(), secrets.token_hex(8), *ids, tempfile.mktemp()]

    DRAWN = draw()

    def handler(what="drawn"):
        seen = {{"with": WITH, "process": process(), "known": known()}}
        return seen if what == "seen" else [DRAWN, draw(), logging._startTime]
"""


READING = """
    import collections, os, sys
    sys.path.insert(0, sys.argv[1])
    from attacca.worker.runtime.process.zygote import furniture
    asked = set()
    class Watched(dict):
        def __getitem__(self, name):
            asked.add(name)
            return super().__getitem__(name)
        def __contains__(self, name):
            asked.add(name)
            return super().__contains__(name)
    os.environ._data = Watched(os.environ._data)
    furniture.furnish()
    print(*sorted(os.fsdecode(name) for name in asked))
"""


def with_library(house: House, source: str, **settings: Any) -> Revision:
    """A function that has a library."""
    made = house.function(source, **settings)
    bundle = house.state / "bundles" / f"of-{made.function}"
    bundle.mkdir()
    (bundle / "library.py").touch()
    return msgspec.structs.replace(made, artefact=PythonDirectory(made.artefact.digests[0], bundle.name))


async def furnished(house: House, revision: Revision) -> ZygoteManager:
    """The zygote of such a one, once it is there."""
    zygotes = house.runtime._zygotes
    zygotes.of(revision, is_outdoors=False)
    (found,) = zygotes._others.values()
    await asyncio.wait_for(found.ready.wait(), PATIENCE_S)
    return found


@pytest.mark.parametrize("isolation", ["process", "none"])
def test_it_finds_what_it_would_have_imported(isolation: str) -> None:
    async def story(house: House) -> list[Any]:
        revision = with_library(house, LOOK, memory_mb=256)
        bare = await house.sandbox(revision)  # as long as there is no other
        await furnished(house, revision)
        template = await house.template(revision)
        assert isinstance(template, TemplateReady), template
        assert not template.unfit
        made = [bare, await house.sandbox(revision), await house.sandbox(revision, template.template)]
        return [value(await house.run(one, revision, b'{"what": "seen"}')) for one in made]

    bare, cold, forked = visit(story, isolation=isolation)
    assert [bare["with"], cold["with"], forked["with"]] == [False, True, False]
    assert len(cold["known"]) > 1000
    for one in (cold, forked):
        assert {name: said for name, said in one["known"].items() if bare["known"].get(name) != said} == {}
    assert cold["process"] == bare["process"]
    assert not cold["process"]["multiprocessing"]
    assert not cold["process"]["tests"]


@pytest.mark.parametrize("isolation", ["process", "none"])
def test_no_two_draw_the_same(isolation: str) -> None:
    async def story(house: House) -> list[Any]:
        revision = with_library(house, LOOK, memory_mb=256)
        await furnished(house, revision)
        template = await house.template(revision)
        assert isinstance(template, TemplateReady), template
        made = [await house.sandbox(revision, name) for name in (None, None, None, *[template.template] * 3)]
        return [value(await house.run(one, revision)) for one in made]

    found = visit(story, isolation=isolation)
    for at in range(len(found[0][0])):
        drawn = [one[1][at] for one in found] + [one[0][at] for one in found[:4]]
        assert len(set(drawn)) == len(drawn), at
    began = [one[2] for one in found[:4]]
    assert len(set(began)) == len(began), "what is logged is counted from a start of one's own"


def test_what_is_there_reads_no_other_variables_than_is_known() -> None:
    words = [os.path.realpath(sys.executable), "-I", "-S", "-c", textwrap.dedent(READING), str(ordinary.ROOT)]
    asked = subprocess.run(words, check=True, capture_output=True, text=True, env={}).stdout.split()
    assert "PYTHONTZPATH" in asked
    assert [name for name in asked if not name.startswith(furniture.READ)] == []


def test_who_has_one_of_its_name_gets_its_own() -> None:
    async def story(house: House) -> list[Any]:
        source = "import calendar, sys\ndef handler(): return [calendar.OWN, 'asyncio' in sys.modules]\n"
        plain = with_library(house, BORN_WITH)
        await furnished(house, plain)
        own, of_library = with_library(house, source), with_library(house, source)
        (house.state / "code" / own.function / "calendar.py").write_text("OWN = 'code'")
        (house.state / "bundles" / f"of-{of_library.function}" / "calendar.py").write_text("OWN = 'bundle'")
        placed = with_library(house, textwrap.dedent(source), env={PATHS: "/function/a/b"})
        (house.state / "code" / placed.function / "a" / "b").mkdir(parents=True)
        (house.state / "code" / placed.function / "a" / "b" / "calendar.py").write_text("OWN = 'path'")
        told = [value(await house.run(await house.sandbox(one), one)) for one in (plain, own, of_library, placed)]
        without = house.function(BORN_WITH)
        return [*told, value(await house.run(await house.sandbox(without), without))]

    assert visit(story) == [[True], ["code", False], ["bundle", False], ["path", False], [False]]


def test_its_loss_is_only_of_those_that_are_born_of_it() -> None:
    async def story(house: House) -> list[Any]:
        revision, other = with_library(house, BORN_WITH), house.function(BORN_WITH)
        zygote = await furnished(house, revision)
        lost, kept = await house.sandbox(revision), await house.sandbox(other)
        assert zygote._supervisor is not None
        os.kill(children(zygote._supervisor.pid)[0], signal.SIGKILL)
        assert (await house.gone(lost)).code == "sandbox_lost"
        meanwhile = value(await house.run(await house.sandbox(revision), revision))
        await furnished(house, revision)
        again = value(await house.run(await house.sandbox(revision), revision))
        return [meanwhile[0] in (True, False), again, value(await house.run(kept, other))]

    assert visit(story) == [True, [True], [False]]


def test_where_the_machines_own_network_is_wanted_there_is_one_too() -> None:
    async def story(house: House) -> list[Any]:
        revision = with_library(house, BORN_WITH, network=Network.HOST)
        first = value(await house.run(await house.sandbox(revision), revision))
        zygotes = house.runtime._zygotes
        found = zygotes._others[Kind(is_outdoors=True, is_furnished=True)]
        await asyncio.wait_for(found.ready.wait(), PATIENCE_S)
        then = value(await house.run(await house.sandbox(revision), revision))
        assert sum(isinstance(one, SandboxReady) for one in house.reports) == 2
        return [first, then]

    assert visit(story) == [[False], [True]]


@pytest.mark.skipif(os.geteuid() != 0, reason="already an ordinary user")
def test_all_of_this_holds_for_an_ordinary_user_too() -> None:
    ordinary.run_again(__file__)
