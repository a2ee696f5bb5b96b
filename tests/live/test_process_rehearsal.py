"""What is played through before the first fork leaves nothing behind."""

import json
import subprocess
import sys

LOOK = """
import json, logging, os, signal, sys
from attacca.worker.runtime.process.zygote import rehearsal, rootfs, script

def look():
    return [sorted(os.environ.items()), sys.path, sorted(sys.modules), list(sys.meta_path), sys.argv, os.getcwd(),
            sorted(sys.path_importer_cache), sorted(os.listdir("/proc/self/fd")), signal.getsignal(signal.SIGALRM),
            signal.getitimer(signal.ITIMER_REAL), sys.stdout.name, logging.getLogger().level]

sys.dont_write_bytecode = True
script.pose(rootfs.HERE)
rehearsal.rehearse_whole()
before = look()
rehearsal.rehearse_whole()
print(json.dumps([str(before), str(look())]))
"""


def test_all_is_as_it_was() -> None:
    ran = subprocess.run([sys.executable, "-c", LOOK], check=True, capture_output=True, text=True)
    before, after = json.loads(ran.stdout)
    assert before == after
    assert "ATTACCA_FUNCTION" not in after
    assert "stand_in" not in after


TELL = """
import json, os, subprocess, sys
from attacca.worker.runtime.process.zygote.script import VARIABLES

def heard():
    words = [sys.executable, "-I", "-S", "-c", "import json, os; print(json.dumps(sorted(os.environ.items())))"]
    return [tuple(one) for one in json.loads(subprocess.run(words, capture_output=True, check=True).stdout)]

before = heard()
VARIABLES.look()
VARIABLES.put({b"ONE": b"1", b"PATH": b"/nowhere", b"TWO": "\u00e9=2".encode()})
VARIABLES.put({b"TWO": b"3", b"NONE": b""})
told = heard()
assert told == sorted(os.environ.items())
assert dict(told).items() >= {"ONE": "1", "PATH": "/nowhere", "TWO": "3", "NONE": ""}.items()
assert len(told) == len(dict(told)), "each once"
os.environ["ONE"], os.environ["NEW"] = "other", "new"
del os.environ["TWO"]
assert heard() == sorted(os.environ.items())
del os.environ["NEW"]
VARIABLES.back()
assert heard() == before == sorted(os.environ.items())
print(repr(VARIABLES) == f"<Variables {len(before)}>")
"""


def test_what_the_c_library_and_children_hear_of_variables_is_what_was_put() -> None:
    """And what is done to them afterwards."""
    ran = subprocess.run([sys.executable, "-c", TELL], check=False, capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("True\n", "")
