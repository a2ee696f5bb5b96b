"""How a bare zygote forks: without Python's handlers, which would have nothing to do."""

import subprocess
import textwrap

from attacca.worker.runtime.process.zygote_manager import PACKAGE_ROOT, PYTHON
from tests.live.house import call, value

HEARD = """
    import os, sys
    sys.path.insert(0, sys.argv[1])
    heard, register = [], os.register_at_fork
    def note(**handlers):
        heard.append(sys._getframe(1).f_globals["__name__"])
        register(**handlers)
    os.register_at_fork = note
    from attacca.worker.runtime.process.zygote import supervisor
    print(*sorted(set(heard)))
"""
THREADS = """
    import threading
    def handler():
        main, count = threading.main_thread(), []
        other = threading.Thread(target=lambda: count.append(threading.get_native_id()))
        other.start(), other.join()
        return [main.native_id, threading.get_native_id(), main is threading.current_thread(), main.is_alive(),
                count[0] != 1, threading.active_count()]
"""


def test_nobody_in_a_bare_zygote_has_anything_to_make_anew_but_locks_that_nobody_holds() -> None:
    words = [PYTHON, "-I", "-S", "-c", textwrap.dedent(HEARD), str(PACKAGE_ROOT)]
    told = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
    assert told == ["attacca.guest.output", "logging", "threading"], "what else there is has to be run in each child"


def test_a_sandboxs_first_thread_knows_its_number() -> None:
    assert value(call(THREADS)) == [1, 1, True, True, True, 1]
