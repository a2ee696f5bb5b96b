"""One function hoards what the kernel counts by user: others start, and are deployed, all the same."""

import os
from pathlib import Path

import pytest

from tests.live import ordinary
from tests.live.patience import Later, patiently
from tests.live.whole import running, until

HOARDER = """
    import fcntl, os, resource, socket, time

    KEPT = []

    def hoarder(what="descriptors", s=2):
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        count = 0
        try:
            while True:
                count += HOARD[what]()
        except OSError as error:
            print("hoarded", count, error, flush=True)
        time.sleep(s)
        return count

    def descriptors():
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        KEPT.extend((one, other))
        one.setblocking(False)
        count = 0
        try:
            for _ in range(5):
                socket.send_fds(one, [b"x"], [0] * 200)
                count += 200
        except BlockingIOError:
            pass
        return count

    def nested():
        \"\"\"Sockets on their way in sockets that are on their way, whose own ends are closed.\"\"\"
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        socket.send_fds(one, [b"x"], [other.fileno()] * 100 + [0] * 100)
        KEPT.append(one)
        other.close()
        return 200

    def pipes():
        KEPT.append(os.pipe())
        os.set_blocking(KEPT[-1][1], False)
        os.write(KEPT[-1][1], bytes(65536))
        return 1

    def locks():
        file = open("/tmp/locked%d" % len(KEPT), "w")
        KEPT.append(file)
        fcntl.flock(file, fcntl.LOCK_EX)
        return 1

    HOARD = {"descriptors": descriptors, "nested": nested, "pipes": pipes, "locks": locks}
"""
ANOTHER = "def another():\n    return 1\n"
JSON = {"content-type": "application/json"}
SANDBOXES = 3


@pytest.mark.parametrize("templates", ["true", "false"])
@pytest.mark.parametrize("what", ["descriptors", "nested", "pipes", "locks"])
def test_what_one_function_hoards_is_missed_by_no_other(tmp_path: Path, what: str, templates: str) -> None:
    with running(tmp_path / "state", "--set", f"worker.templates={templates}") as whole:
        whole.function("hoarder", HOARDER, handler="main:hoarder", timeout_s=patiently(30.0))
        whole.function("another", ANOTHER)
        hoarding = [Later(lambda: whole.call("hoarder", {"what": what})) for _ in range(SANDBOXES)]
        until(lambda: whole.logs("hoarder").count("hoarded") == SANDBOXES, "they have all that they can get")
        starts = 0
        while any(one.is_alive() for one in hoarding):
            whole.ask("POST", "/api/functions/another/evict", b"{}", JSON)
            assert whole.call("another").value == 1
            whole.function(f"new{starts}", ANOTHER.replace("another", f"new{starts}"))
            assert whole.call(f"new{starts}").value == 1
            starts += 1
        assert starts > 0
        assert [one.result().status for one in hoarding] == [200] * SANDBOXES


@pytest.mark.skipif(os.geteuid() != 0, reason="already an ordinary user")
def test_all_of_this_holds_for_an_ordinary_user_too() -> None:
    ordinary.run_again(__file__)
