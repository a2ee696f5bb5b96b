"""The networks that sandboxes made from nothing are born in: whose they were, and what is left in them."""

import asyncio
import os
from collections.abc import Sequence
from typing import Any

import pytest

from attacca.model.function import Network, Revision
from tests.live import ordinary
from tests.live.house import House, value, visit

WHICH = """
    import os
    def handler():
        return os.stat("/proc/self/ns/net").st_ino
"""
# Connections to itself, of which the side that closes first is remembered by TCP for a minute; then it is ended.
LEAVES_A_PORT = """
    import os, socket
    def handler():
        server = socket.create_server(("127.0.0.1", 8765))
        near = socket.create_connection(("127.0.0.1", 8765))
        far, _ = server.accept()
        far.close(), near.close(), server.close()
        return [os.stat("/proc/self/ns/net").st_ino, open("/proc/net/sockstat").read().split(" tw ")[1].split()[0]]
"""
TRIES = """
    import fcntl, os, socket, struct
    def attempt(call, *words):
        try:
            call(*words)
        except OSError as error:
            return type(error).__name__, error.errno
        return "done"
    def handler():
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        down = struct.pack("16sh14x", b"lo", 0)
        address = struct.pack("16sHHI8x", b"lo", socket.AF_INET, 0, 0x0100000a)
        tries = [
            attempt(fcntl.ioctl, sock, 0x8914, down), attempt(fcntl.ioctl, sock, 0x8916, address),
            attempt(open, "/proc/sys/net/ipv4/ip_forward", "w"),
            attempt(socket.socket, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
        ]
        sock.bind(("127.0.0.1", 0))
        names = [line.split(":")[0].strip() for line in open("/proc/net/dev") if ":" in line]
        return [os.stat("/proc/self/ns/net").st_ino, tries, names]
"""
DENIED = [["PermissionError", 1], ["OSError", 30]]  # EPERM; or a file system that is only to be read


async def lives(house: House, *revisions: Revision) -> list[Any]:
    """What each answers, one after another."""
    found = []
    for revision in revisions:
        sandbox = await house.sandbox(revision)
        found.append(value(await house.run(sandbox, revision)))
        await end(house, [sandbox])
    return found


async def end(house: House, sandboxes: Sequence[str]) -> None:
    for sandbox in sandboxes:
        house.runtime.kill(sandbox)
    for sandbox in sandboxes:
        await house.gone(sandbox)


def test_a_network_is_the_next_ones_of_the_same_function_and_nobody_elses() -> None:
    async def story(house: House) -> None:
        one, other = house.function(WHICH), house.function(WHICH)
        first, again, others, last = await lives(house, one, one, other, one)
        assert first == again == last
        assert others != first
        both = [await house.sandbox(one) for _ in range(2)]
        at_once = [value(await house.run(sandbox, one)) for sandbox in both]
        assert at_once[0] == first
        assert at_once[1] not in (first, others), "no two live in one"
        await end(house, both)

    visit(story)


def test_a_templates_sandboxes_live_in_the_networks_of_those_before_them() -> None:
    async def story(house: House) -> None:
        revision = house.function(WHICH)
        template = await house.template(revision)
        found = []
        for _ in range(8):
            sandbox = await house.sandbox(revision, template.template)
            found.append(value(await house.run(sandbox, revision)))
            await end(house, [sandbox])
        assert len(set(found)) < len(found)
        made = [await house.sandbox(revision, template.template) for _ in range(4)]
        at_once = [value(await house.run(sandbox, revision)) for sandbox in made]
        assert len(set(at_once)) == len(at_once), "no two live in one"

    visit(story)


def test_a_port_that_is_not_forgotten_yet_makes_its_network_nobodys() -> None:
    async def story(house: House) -> None:
        revision = house.function(LEAVES_A_PORT)
        (first, left), (second, _) = await lives(house, revision, revision)
        assert left == "1", "the story leaves nothing"
        assert second != first

    visit(story)


def test_a_network_has_a_loopback_that_is_not_its_sandboxes_to_change() -> None:
    async def story(house: House) -> None:
        revision = house.function(TRIES)
        both = await lives(house, revision, revision)
        assert both[0][0] == both[1][0], "the second is born where the first lived"
        for found in both:
            assert all(one in DENIED for one in found[1]), found
            assert found[2] == ["lo"]

    visit(story)


def test_who_has_the_machines_network_has_it_whoever_was_made_before() -> None:
    async def story(house: House) -> None:
        alone, outdoors = house.function(WHICH), house.function(WHICH, network=Network.HOST)
        found = await lives(house, alone, outdoors, alone, outdoors)
        machine = os.stat("/proc/self/ns/net").st_ino
        assert found == [found[0], machine, found[0], machine]
        assert found[0] != machine
        template = await house.template(outdoors)
        sandbox = await house.sandbox(outdoors, template.template)
        assert value(await house.run(sandbox, outdoors)) == machine
        clients = house.runtime._zygotes.clients()
        os.kill(clients[1].lineage.pid, 9)
        await house.quiet(lambda: clients[1].is_open)
        assert await lives(house, outdoors) == [machine], "there is another one"

    visit(story)


def test_many_at_once_have_one_each() -> None:
    async def story(house: House) -> None:
        revision = house.function(WHICH)
        for _ in range(2):
            made = await asyncio.gather(*(house.sandbox(revision) for _ in range(6)))
            found = [value(await house.run(sandbox, revision)) for sandbox in made]
            assert len(set(found)) == len(made)
            await end(house, made)

    visit(story)


@pytest.mark.skipif(os.geteuid() != 0, reason="runs the others as an ordinary user")
def test_all_this_holds_for_an_ordinary_user() -> None:
    ordinary.run_again(__file__)
