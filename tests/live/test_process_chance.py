"""No two sandboxes draw the same, whichever library they ask, nor does a child of theirs."""

import importlib.util
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import msgspec
import pytest

from attacca.model.function import PythonDirectory
from attacca.worker.core.reports import TemplateReady
from attacca.worker.runtime.process.zygote import minder
from tests.live import ordinary
from tests.live.house import House, value, visit

SOURCE = """
    import ctypes, importlib.util, json, os, random, secrets, ssl, uuid

    if HAS_NUMPY := importlib.util.find_spec("numpy") is not None:
        import numpy

    class Library:
        \"\"\"What a library in C does: a state of its own, renewed when it notices a fork.\"\"\"
        def __init__(self):
            self.state, self.is_stale, self.pid = os.urandom(8), False, os.getpid()
            self.forks = 0
        def forked(self):
            self.is_stale, self.forks = True, self.forks + 1
        def renew(self):
            self.state, self.forks = os.urandom(8), self.forks + 1
        def draw(self):
            if self.is_stale or (self.looks and os.getpid() != self.pid):
                self.state, self.is_stale, self.pid = os.urandom(8), False, os.getpid()
            return self.state.hex()
        looks = False

    marked, prompt, compared, python = (Library() for _ in range(4))
    compared.looks = True
    os.register_at_fork(after_in_child=python.forked)
    libc = ctypes.PyDLL(None)
    hooks = [ctypes.PYFUNCTYPE(None)(do) for do in (marked.forked, prompt.renew)]
    for hook in hooks:
        assert libc.__register_atfork(None, None, hook, None) == 0

    def draw():
        drawn = {
            "ssl": ssl.RAND_bytes(8).hex(),
            "random": random.random(),
            "secrets": secrets.token_hex(8),
            "uuid1": uuid.uuid1().hex,
            "uuid4": uuid.uuid4().hex,
            "a library with a mark": marked.draw(),
            "a library that is prompt": prompt.draw(),
            "a library that compares": compared.draw(),
            "a library in Python": python.draw(),
        }
        if HAS_NUMPY:
            drawn["numpy"] = numpy.random.random()
        return drawn

    AT_IMPORT = draw()

    def in_child():
        reader, writer = os.pipe()
        if (pid := os.fork()) == 0:
            os.write(writer, json.dumps(draw()).encode())
            os._exit(0)
        os.close(writer)
        with open(reader) as said:
            told = json.load(said)
        os.waitpid(pid, 0)
        return told

    def handler(first="child"):
        child = in_child() if first == "child" else None
        own = draw()
        return [AT_IMPORT, own, child or in_child(), [marked.forks, prompt.forks, python.forks]]
"""
COPIED = {"numpy"}  # by whoever forks without thinking of it, as everywhere
MANY = 4


def with_numpy(house: House) -> str | None:
    """Its bundle, where it is installed."""
    spec = importlib.util.find_spec("numpy")
    if spec is None or spec.origin is None or not os.access(spec.origin, os.R_OK):
        return None
    place = Path(spec.origin).parents[1]
    for name in ("numpy", "numpy.libs"):
        if (place / name).is_dir():
            shutil.copytree(place / name, house.state / "bundles" / "numpy" / name, copy_function=copy)
    return "numpy"


def copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)


@pytest.mark.parametrize("first", ["child", "parent"])
@pytest.mark.parametrize("options", [{}, {"isolation": "none"}], ids=str)
@pytest.mark.parametrize("is_forked", [True, False], ids=["from a template", "from nothing"])
def test_no_two_draw_the_same(is_forked: bool, options: dict[str, Any], first: str) -> None:  # noqa: FBT001
    async def story(house: House) -> list[Any]:
        revision = house.function(SOURCE, memory_mb=512)
        artefact = PythonDirectory(revision.artefact.digests[0], with_numpy(house))
        revision = msgspec.structs.replace(revision, artefact=artefact)
        template = None
        if is_forked:
            told = await house.template(revision)
            assert isinstance(told, TemplateReady), told
            template = told.template
        made = [await house.sandbox(revision, template) for _ in range(MANY)]
        return [value(await house.run(sandbox, revision, b'{"first": "%s"}' % first.encode())) for sandbox in made]

    found = visit(story, **options)
    names = set(found[0][0])
    for name in names:
        imported, own, children = ([one[at][name] for one in found] for at in range(3))
        drawn = [*own, *(imported[:1] if is_forked else [])]
        assert len(set(drawn)) == len(drawn), f"{name}: each its own"
        assert len(set(children)) == MANY, f"{name}: nor do their children agree"
        if name not in COPIED:
            assert not set(own) & set(children), f"{name}: nor they with theirs"
    forks = 1 if is_forked else 0
    assert [one[3] for one in found] == [[forks, forks, forks]] * MANY, "libraries heard of each fork in a sandbox"


BORN = """
    import os, sys
    from attacca.worker.runtime.process.zygote import linux, minder
    processes = os.open(sys.argv[1], os.O_RDONLY)
    first = linux.clone(linux.CLONE_NEWUSER | linux.CLONE_NEWPID)
    if first == 0:
        pid = minder.fork_far(processes)
        if pid:
            os.waitpid(pid, 0)
        else:
            print(os.getpid())
            sys.stdout.flush()
        os._exit(0)
    os.waitpid(first, 0)
"""


def test_a_template_is_far_from_its_sandboxes_also_where_the_kernel_takes_no_wishes(tmp_path: Path) -> None:
    words = [sys.executable, "-c", textwrap.dedent(BORN), str(tmp_path)]  # where there is no sys/kernel/ns_last_pid
    told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    assert minder.FAR <= int(told) < minder.VERY_FAR


@pytest.mark.skipif(os.geteuid() != 0, reason="already an ordinary user")
def test_all_of_this_holds_for_an_ordinary_user_too() -> None:
    ordinary.run_again(__file__)
