"""A server whose descriptors are taken: what cannot be started is told why, and what is there goes on."""

import resource
from pathlib import Path

from attacca.worker.runtime.process.ends import SPARE
from tests.live.whole import running

CODE = "def main():\n    return 1\n"
JSON = {"content-type": "application/json"}
TAKEN = 8  # a server has more open at any time, and fewer than the spare ones


def test_a_server_without_descriptors_says_so_and_serves_with_what_it_has(tmp_path: Path) -> None:
    with running(tmp_path / "state") as whole:
        for name in ("one", "two"):
            whole.function(name, CODE)
            assert whole.call(name).value == 1
        whole.ask("POST", "/api/functions/two/evict", b"{}", JSON)
        pid = whole.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (SPARE + TAKEN, before[1]))
        for _ in range(4):  # more often than what would be held against its template
            refused = whole.call("two")
            assert (refused.status, refused.code, "ulimit -n" in refused.error["try"]) == (503, "no_capacity", True)
        assert whole.ask("POST", "/api/functions/two/prewarm", b'{"count": 3}', JSON).status == 202
        warm = whole.call("one")
        assert (warm.value, warm.headers["x-attacca-start"]) == (1, "warm")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
        fine = whole.call("two")
        assert (fine.value, fine.headers["x-attacca-start"]) == (1, "template")
