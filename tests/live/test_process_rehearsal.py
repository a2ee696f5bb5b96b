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
