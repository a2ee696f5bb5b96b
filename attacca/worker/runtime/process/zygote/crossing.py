"""From the server's interpreter into an image's own, which is a stranger: it is executed once all is given up that is
to be given up, and the worker holds on to its process. `arrival.py` is what runs first over there."""

import fcntl
import json
import os
from time import perf_counter
from typing import NoReturn

from attacca.guest import channel as wire
from attacca.worker.runtime.process.zygote import linux, rootfs, script
from attacca.worker.runtime.process.zygote.spawn_spec import SpawnSpec

PROGRAM = "python3"
FLAGS = ("-I", "-X", "utf8")  # what the image has installed is there, what its variables say is obeyed late
ARRIVAL = f"{rootfs.KIT}/attacca/worker/runtime/process/zygote/arrival.py"
FIRST_FREE = 8  # `prepared.FIRST_OWN`: what lies below is given out over there
ELSEWHERE = "a machine of another kind runs it; build the image for this one"
CLOSED = "who is not its owner may not: let all read and run it (chmod a+rX)"
LACKING = "install Python 3.11 or newer in the image, and name its directory in the image's PATH"


def cross(
    spec: SpawnSpec, times: dict[str, float], channel: tuple[int, int], hands: int = -1, keep: tuple[int, ...] = ()
) -> NoReturn:
    """`hands` is a descriptor that goes with those of the channel, `keep` are capabilities."""
    reader, writer = channel
    told = _put(json.dumps([spec, times, perf_counter()]).encode())
    kept = [told, reader, writer, *([hands] if hands >= 0 else [])]
    for descriptor in kept:
        os.set_inheritable(descriptor, True)  # noqa: FBT003 - takes no name
    linux.take(linux.handing_on(keep))
    env = {**script.ALWAYS, **script.environment(spec), **script.EAGER}
    why: OSError = FileNotFoundError()
    for directory in env["PATH"].split(os.pathsep):
        path = os.path.join(directory, PROGRAM)
        try:
            os.execve(path, [PROGRAM, *FLAGS, ARRIVAL, str(told), str(hands)], env)
        except OSError as error:
            why = error if not isinstance(error, FileNotFoundError | NotADirectoryError) else why
    wire.Channel(-1, writer).write(wire.FAILED, 0, json.dumps(_words(why, env["PATH"])).encode())
    os._exit(1)


def _put(data: bytes) -> int:
    """Where it can be read once more, out of the way."""
    made = os.memfd_create("spec")
    moved = fcntl.fcntl(made, fcntl.F_DUPFD_CLOEXEC, FIRST_FREE)
    os.close(made)
    with open(moved, "wb", closefd=False) as file:
        file.write(data)
    os.lseek(moved, 0, os.SEEK_SET)
    return moved


def _words(why: OSError, path: str) -> dict[str, str]:
    if isinstance(why, FileNotFoundError):
        message, hint = f"the image has no {PROGRAM} in {path[:200]}", LACKING
    elif isinstance(why, PermissionError):
        message, hint = f"the image's {PROGRAM} cannot be run by a function: {why.strerror}", CLOSED
    else:
        message, hint = f"the image's {PROGRAM} cannot be run: {why.strerror}", ELSEWHERE
    return {"code": "bad_function", "message": message, "hint": hint, "traceback": "", "logs": ""}
