"""What is one function's own is nowhere in the memory of another's sandbox, wherever that was forked from."""

import secrets
from pathlib import Path

import pytest

from tests.live.whole import running

SCAN = """
    import re

    def scan(half=""):
        pattern, found = re.compile(half.encode() + rb"[0-9a-f]{8}.{0,20}"), []
        with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
            for line in maps:
                place, rights, *rest = line.split()
                if "r" not in rights or rest[-1] in ("[vvar]", "[vvar_vclock]", "[vsyscall]"):
                    continue
                low, high = (int(word, 16) for word in place.split("-"))
                try:
                    memory.seek(low)
                    data = memory.read(high - low)
                except (OSError, OverflowError):
                    continue
                found += [f"{rest[-1]}: {one!r}" for one in pattern.findall(data)]
        return found
"""
OTHERS = 25


@pytest.mark.parametrize("templates", ["true", "false"])
def test_a_fresh_sandbox_holds_nothing_of_others(tmp_path: Path, templates: str) -> None:
    canary = secrets.token_hex(8)
    source = f"""
        SECRET = "{canary}-in-code"
        def h{canary}():
            print(SECRET, "{canary}-printed")
            return SECRET
    """
    with running(tmp_path / "state", "--set", f"worker.templates={templates}") as whole:
        for number in range(OTHERS):
            for kind in ("env", "file"):
                answer = whole.ask("PUT", f"/api/secrets/S{number}_{kind}", f"{canary}-{kind}".encode())
                assert answer.status == 200
            settings = {
                "env": {f"KEY_{canary}": f"{canary}-{number}", "PAD": "x" * (number * 997 % 20_000)},
                "secrets": {f"S{number}_env": "env", f"S{number}_file": "file"},
            }
            whole.function(f"f{canary}-{number}", source, handler=f"main:h{canary}", **settings)
            assert whole.call(f"f{canary}-{number}").status == 200
        whole.function("scan", SCAN)
        for _ in range(3):
            assert whole.call("scan", {"half": canary[:8]}).value == []
            whole.ask("POST", "/api/functions/scan/evict", b"{}", {"content-type": "application/json"})


def test_the_eye_sees_what_is_there(tmp_path: Path) -> None:
    canary = secrets.token_hex(8)
    with running(tmp_path / "state") as whole:
        for number, said in enumerate(({"env": {"KEY": canary}}, {"secrets": {"KEY": "env"}})):
            assert whole.ask("PUT", "/api/secrets/KEY", canary.encode()).status == 200
            whole.function(f"scan{number}", SCAN, **said)
            assert whole.call(f"scan{number}", {"half": canary[:8]}).value != []
