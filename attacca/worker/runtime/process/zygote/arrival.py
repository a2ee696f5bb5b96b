"""The first of ours that an image's own Python runs, whatever version it is: it imports nothing before it has looked.

    python3 -I -X utf8 arrival.py TOLD HANDS

TOLD is a descriptor from which is read what `template.arrive` is told, HANDS that of a template's places.
"""

import importlib
import json
import os
import struct
import sys

LEAST = (3, 11)
HEAD, FAILED = struct.Struct("<IBI"), 17  # of a frame: `attacca.guest.channel` has the same
WRITER = 4
KIT = "/run/attacca"
REST = "attacca.worker.runtime.process.zygote.template"


def main() -> None:
    if sys.version_info < LEAST:
        found, least = (".".join(map(str, one[:2])) for one in (sys.version_info, LEAST))
        refuse(f"the image's python3 is Python {found}", f"install {least} or newer in the image")
    if "musl" in getattr(sys.implementation, "_multiarch", ""):
        refuse("the image's python3 is linked with musl", "take an image with glibc, such as one of Debian's")
    told, hands = map(int, sys.argv[1:])
    with open(told, "rb") as file:
        told_us = json.load(file)
    sys.path.insert(0, KIT)
    try:
        rest = importlib.import_module(REST)
    except ImportError as error:
        refuse(f"the image's python3 lacks a part of Python: {error}", "install its standard library whole")
    sys.path.remove(KIT)
    rest.arrive(*told_us, hands)


def refuse(message: str, hint: str) -> None:
    words = {"code": "bad_function", "message": message, "hint": hint, "traceback": "", "logs": ""}
    data = json.dumps(words).encode()
    os.write(WRITER, HEAD.pack(len(data), FAILED, 0) + data)
    os._exit(1)


if __name__ == "__main__":
    main()
