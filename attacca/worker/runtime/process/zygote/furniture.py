"""What a furnished zygote has imported already: modules of the standard library that most libraries import.

Each is as it would be in who imports it later: it starts nothing, opens nothing and asks nothing of its surroundings
but variables that `READ` has, and the one generator among them is seeded anew by a fork. `multiprocessing`, which draws
a key, is not there. What two of them remember is put right.
"""

import contextlib
import importlib
import sys
import time

from attacca.worker.runtime.process.zygote import script

MODULES = (
    *("ast", "asyncio", "bisect", "calendar", "concurrent.futures.thread", "copy", "csv", "dataclasses", "datetime"),
    *("decimal", "difflib", "email.message", "email.parser", "email.policy", "email.utils", "fractions", "gettext"),
    *("hashlib", "heapq", "hmac", "html.entities", "http.client", "http.cookiejar", "http.cookies"),
    *("importlib.metadata", "importlib.resources", "inspect", "ipaddress", "locale", "mimetypes", "numbers", "pathlib"),
    *("pickle", "pkgutil", "pprint", "queue", "random", "secrets", "shlex", "ssl", "string", "subprocess", "tempfile"),
    *("textwrap", "tokenize", "unicodedata", "urllib.request", "uuid", "zipfile", "zoneinfo"),
)
# What they, and the library of `ssl`, read when they are imported: of each variable how its name begins.
READ = ("HOME", "PYTHONUSERBASE", "PYTHONTZPATH", "_PYTHON_", "DEB_PYTHON_", "OPENSSL_")


def furnish() -> None:
    """Import them; what this interpreter lacks is left out."""
    for name in MODULES:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    script.forget_machine()  # which `uuid` has asked for


def settle() -> None:
    """In a child, before its own code is imported."""
    if (logging := sys.modules.get("logging")) is not None:
        words = logging.__dict__
        words["_startTime"] = time.time_ns() if isinstance(words["_startTime"], int) else time.time()
