"""What code may not do while it is imported into a template: what it may not do in a sandbox."""

import asyncio

import msgspec
import pytest

from attacca.worker.core.reports import TemplateReady
from tests.live.house import House, value, visit
from tests.live.syscalls import NUMBERS

TRY = """
    import ctypes, errno, os, socket
    libc = ctypes.CDLL(None, use_errno=True)
    def attempt(*call):
        ctypes.set_errno(0)
        words = [ctypes.c_long(w) if isinstance(w, int) else w for w in call]
        return errno.errorcode.get(ctypes.get_errno(), "?") if libc.syscall(*words) == -1 else "allowed"
    def written(path):
        try:
            open(path, "w").close()
        except OSError as error:
            return errno.errorcode[error.errno]
        return "allowed"
"""
REMOUNT, BIND = 0x20, 0x1000


@pytest.mark.parametrize("place", ["/function", "/usr", "/bundle", "/", "/etc"])
def test_what_is_read_only_stays_so(place: str) -> None:
    source = (
        TRY
        + f"""
    remounted = attempt({NUMBERS["mount"]}, b"none", b"{place}", b"none", {REMOUNT | BIND}, 0)
    result = [remounted, written("{place}/new"), written("/function/main.py"), os.path.exists("/function/new")]
    def handler(): return result
    """
    )
    assert value(_from_template(source))[1:] == ["EROFS", "EROFS", False]


def test_it_moves_to_no_namespace() -> None:
    source = (
        TRY
        + f"""
    kinds = (0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x2000000)
    unshare, setns = {NUMBERS["unshare"]}, {NUMBERS["setns"]}
    result = [attempt(unshare, kind) for kind in kinds] + [attempt(setns, 0, 0), attempt(unshare, 0x40000000)]
    def handler(): return result
    """
    )
    assert value(_from_template(source)) == ["EPERM"] * 8


def test_each_sandbox_of_it_has_a_network_of_its_own_also_in_a_hurry() -> None:
    source = """
        import os, socket
        def handler():
            listener = socket.create_server(("127.0.0.1", 7777))
            socket.create_connection(("127.0.0.1", 7777)).close()
            return [os.readlink("/proc/self/ns/net")]
    """

    async def story(house: House) -> list[object]:
        revision = house.function(source)
        template = await house.template(revision)
        made = await asyncio.gather(*(house.sandbox(revision, template.template) for _ in range(6)))
        return [value(await house.run(sandbox, revision)) for sandbox in made]

    assert len(set(map(str, visit(story)))) == 6


def _from_template(source: str) -> object:
    async def story(house: House) -> object:
        revision = house.function(source)
        template = await house.template(revision)
        assert isinstance(template, TemplateReady), template
        revision = msgspec.structs.replace(revision, signature=template.signature, event=template.event)
        return await house.run(await house.sandbox(revision, template.template), revision)

    return visit(story)


def test_a_template_may_have_more_sandboxes_than_one_of_them_may_have_processes() -> None:
    async def story(house: House) -> int:
        revision = house.function("def handler(): return 1")
        template = await house.template(revision)
        return len([await house.sandbox(revision, template.template) for _ in range(12)])

    assert visit(story, processes=8) == 12


@pytest.mark.parametrize(
    "source",
    [
        "def handler(event, context):\n    calls.append(event)\n    return calls",
        "def handler(name=''):\n    calls.append(name)\n    return calls",
        "async def handler(event, context):\n    calls.append(event)\n    return calls",
        "def handler(environ, start_response):\n    calls.append(1)\n    start_response('200 OK', [])\n"
        "    return [str(calls).encode()]",
    ],
)
def test_what_is_rehearsed_before_the_fork_is_none_of_the_functions(source: str) -> None:
    found = value(_from_template(f"calls = []\n{source}"))
    assert len(found) == 1


def test_it_says_how_it_stands() -> None:
    async def story(house: House) -> tuple[str, str]:
        ready = await house.template(house.function("def handler(): return 1"))
        assert isinstance(ready, TemplateReady)
        [template] = house.runtime._templates.values()
        return template.name, repr(template)

    name, said = visit(story)
    assert said.startswith(f"<TemplateProcess {name} ready, <ForkClient open, 0 waiting, ")
