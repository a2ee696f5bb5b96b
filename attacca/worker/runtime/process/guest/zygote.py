"""The first process of the sandboxes' world: it lives in the hall and forks whatever the worker orders.

It runs no code of a user's. When the worker goes, its socket closes, the zygote ends, and because it is pid 1 of its
namespace everything below it ends with it.
"""

import gc
import os
import select
import signal
import socket
from time import perf_counter
from typing import NoReturn

from attacca.worker.runtime.process.guest import life, linux, packets, root
from attacca.worker.runtime.process.guest.breeder import Breeder, last_words
from attacca.worker.runtime.process.guest.orders import Setting


def run(control: socket.socket, setting: Setting, go_ahead: int) -> NoReturn:
    """The zygote's life. `go_ahead` brings our pid outside, once the keeper has mapped our user if it is to do so."""
    outer_pid = int(os.read(go_ahead, 32))
    if setting["isolate"]:
        try:
            _settle(setting)
        except OSError as error:
            packets.send(control, {"unfit": str(error)})
            os._exit(1)
    if select.select([go_ahead], [], [], 0)[0]:  # its end: the keeper died before we had asked to die with it
        os._exit(1)
    os.close(go_ahead)
    gc.collect()
    gc.freeze()
    linux.trim()
    packets.send(control, {"zygote": outer_pid})
    breeder = Breeder(control, linux.OWN_ALL, isolate=setting["isolate"])
    order, channel, out = breeder.run()
    with last_words():
        life.live_from_zygote(order, channel, out, isolate=setting["isolate"], began=perf_counter())


def _settle(setting: Setting) -> None:
    linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
    if setting["privileged"]:
        os.setgroups([])
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        linux.prctl(linux.PR_SET_DUMPABLE, 1)  # changing the user took /proc/self away from us
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)  # and this
        linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    else:
        root.map_self(0, setting["outer_id"], setting["outer_group"])
        root.build_hall({"prefix": setting["prefix"], "code": setting["code"], "bundles": setting["bundles"]})
