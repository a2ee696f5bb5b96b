"""What a function sees of the interpreter that runs it: what a script would see that `python3 main.py` runs.

In truth it is a bare interpreter that has never heard of the machine's packages, started for the supervisor with words
of the server's. Children that the function starts are ordinary ones; the standard library tells them what to be from
what it finds here.
"""

import _locale
import ctypes
import itertools
import os
import site
import sys
import time
from array import array
from importlib.machinery import ModuleSpec
from types import ModuleType

from attacca.guest import output
from attacca.worker.runtime.process.zygote import rootfs
from attacca.worker.runtime.process.zygote.spawn_spec import SpawnSpec

SETTINGS = {  # numeric libraries start a thread per core when imported, and threads do not survive a fork
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "HOME": "/tmp",
    "TMPDIR": "/tmp",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
}
EAGER = {"LD_BIND_NOW": "1"}  # functions of libraries are looked up before the first fork, and not in each child
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
REGION = "us-east-1"  # boto3 makes no client without one
ALWAYS = {
    **SETTINGS,
    "PATH": f"{rootfs.PROGRAMS}:{os.path.dirname(sys.executable)}:{SYSTEM_PATH}",
    "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    "AWS_EXECUTION_ENV": "AWS_Lambda_python{}.{}".format(*sys.version_info),
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "__OW_NAMESPACE": "_",
}
BYTES = "utf-8", "surrogateescape"  # as `os.environ` has them
LOCALE = ("LC_ALL", "LC_CTYPE", "LANG")
ZONES = "/usr/share/zoneinfo"
TOO_LATE = (  # what an interpreter asks for when it starts, and ours has started
    *("PYTHONHASHSEED", "PYTHONOPTIMIZE", "PYTHONDEVMODE", "PYTHONUTF8", "PYTHONIOENCODING", "PYTHONHOME"),
    *("PYTHONMALLOC", "PYTHONPROFILEIMPORTTIME", "PYTHONPLATLIBDIR", "PYTHONINSPECT", "PYTHONVERBOSE"),
    *("PYTHONSAFEPATH", "PYTHONSTARTUP", "PYTHON_GIL", "PYTHON_JIT", "PYTHONNODEBUGRANGES", "PYTHONPERFSUPPORT"),
)
ORDINARY = {  # of sys.flags, where a bare interpreter's differ
    "isolated": 0,
    "ignore_environment": 0,
    "no_site": 0,
    "no_user_site": 0,
    "utf8_mode": 0,
    "safe_path": False,
}


def be_ordinary(**other: int) -> None:
    """Once, in the supervisor: let what is read from `sys` and `builtins` be an ordinary interpreter's. `other` are
    flags that it would have too."""
    site.setquit()  # its flag has kept `site` from looking for packages when it was imported
    site.setcopyright()
    site.sethelper()
    put, keep = ctypes.pythonapi.PyStructSequence_SetItem, ctypes.pythonapi.Py_IncRef
    for name, value in {**ORDINARY, **other}.items():
        keep(ctypes.py_object(value))
        place = ctypes.c_ssize_t(sys.flags.__match_args__.index(name))
        put(ctypes.py_object(sys.flags), place, ctypes.py_object(value))
    sys._xoptions.clear()
    sys.dont_write_bytecode = True  # as their environment says: where their code lies nothing can be written
    sys.orig_argv[:] = [sys.executable]
    forget_machine()


def forget_machine() -> None:
    """What is remembered of who asked before: its name is no sandbox's."""
    if (platform := sys.modules.get("platform")) is not None:
        platform.__dict__["_uname_cache"] = None


def clear_environment() -> None:
    """Once, in the supervisor: of the server's own variables nothing is left."""
    os.environ.clear()
    os.environ.update(ALWAYS)
    time.tzset()


def settle_in(spec: SpawnSpec) -> None:
    """Once, in an image's interpreter, which has its variables since it began."""
    has_utf8 = _locale.nl_langinfo(_locale.CODESET).upper() == "UTF-8"  # without C.UTF-8 in it Python takes the mode
    be_ordinary(utf8_mode=0 if has_utf8 else 1)
    pose(here_of(spec))
    for name in EAGER:
        os.environ.pop(name, None)
    for name, value in ALWAYS.items():
        if name not in spec["env"]:
            os.environ[name] = value


def here_of(spec: SpawnSpec) -> str:
    return spec["code"] if spec["code"].startswith("/") else rootfs.HERE


def bundle_of(spec: SpawnSpec) -> str | None:
    bundle = spec["bundle"]
    return bundle if bundle is None or bundle.startswith("/") else rootfs.BUNDLE


def environment(spec: SpawnSpec) -> dict[str, str]:
    """Beside what all have: its own names, as other platforms set them, and what its settings say, which wins."""
    function, revision, here = spec["function"], str(spec["revision"]), here_of(spec)
    handler = spec["handler"].replace(":", ".")
    return {
        "ATTACCA_FUNCTION": function,
        "ATTACCA_REVISION": revision,
        "AWS_LAMBDA_FUNCTION_NAME": function,
        "AWS_LAMBDA_FUNCTION_VERSION": revision,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec["memory_mb"]),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/attacca/{function}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"{function}@{revision}",
        "LAMBDA_TASK_ROOT": here,
        "LAMBDA_RUNTIME_DIR": bundle_of(spec) or here,
        "_HANDLER": handler,
        "FUNCTION_TARGET": handler.rpartition(".")[2],
        "K_SERVICE": function,
        "K_CONFIGURATION": function,
        "K_REVISION": f"{function}-{revision}",
        "__OW_ACTION_NAME": f"/_/{function}",
        "__OW_ACTION_VERSION": revision,
        **spec["env"],
    }


class Variables:
    """The environment as the C library has it, put in its place as a whole: told of one after another, it would sort
    each among all that it was ever told, and each who is forked would copy what it writes to while it does.

    For who has just been forked, and has run no code that could change it otherwise.
    """

    def __init__(self) -> None:
        self._block = ctypes.c_void_p.in_dll(ctypes.pythonapi, "environ")
        self._found: dict[bytes, int] = {}  # where the text of each lies
        self._kept: list[object] = []  # what the texts that were put are a part of
        self._first: tuple[int | None, dict[bytes, int], dict[bytes, bytes]] = None, {}, {}

    def __repr__(self) -> str:
        return f"<Variables {len(self._found)}>"

    def look(self) -> None:
        """At what there is now, and is there still in all who are forked from here on."""
        place = ctypes.cast(self._block, ctypes.POINTER(ctypes.c_size_t))
        lie = [place[number] for number in itertools.takewhile(lambda number: place[number], itertools.count())]
        self._found = {ctypes.string_at(at).partition(b"=")[0]: at for at in lie}
        self._first = self._block.value, dict(self._found), dict(os.environ._data)  # type: ignore[attr-defined]  # see `put`

    def back(self) -> None:
        """To what there was when it was looked."""
        self._block.value, found, told = self._first
        self._found = dict(found)
        self._kept.clear()
        os.environ._data.clear()  # type: ignore[attr-defined]  # see `put`
        os.environ._data.update(told)  # type: ignore[attr-defined]  # see `put`

    def put(self, named: dict[bytes, bytes]) -> None:
        """These, whatever they were before; for `os.environ` too."""
        if not self._found:
            self.look()
        texts = array("B", b"\0".join([b"%b=%b" % one for one in named.items()]) + b"\0")
        at, _ = texts.buffer_info()
        for name, value in named.items():
            self._found[name] = at
            at += len(name) + len(value) + 2
        block = array("L", [*self._found.values(), 0])
        self._kept += texts, block
        self._block.value, _ = block.buffer_info()
        os.environ._data.update(named)  # type: ignore[attr-defined]  # what it holds, encoded


VARIABLES = Variables()


def set_environment(spec: SpawnSpec) -> None:
    """What all have is there since the supervisor, and is not touched: what is would have to be copied. So the mapping
    is told of all at once, and not asked to encode each."""
    VARIABLES.put({name.encode(*BYTES): value.encode(*BYTES) for name, value in environment(spec).items()})
    if "TZ" in spec["env"]:
        time.tzset()
    if any(name in spec["env"] for name in LOCALE):
        import locale  # costs 2 ms, and most functions leave it as it is

        try:
            locale.setlocale(locale.LC_CTYPE, "")  # all that an interpreter does with it when it starts
        except locale.Error:
            locale.setlocale(locale.LC_CTYPE, "C.UTF-8")


def obey(env: dict[str, str]) -> None:
    """Do late what an interpreter does when it starts, for those of its variables that allow it."""
    if env.get("PYTHONWARNINGS"):
        import warnings

        sys.warnoptions.extend(env["PYTHONWARNINGS"].split(","))
        warnings._processoptions(sys.warnoptions)  # type: ignore[attr-defined]
    if env.get("PYTHONFAULTHANDLER"):
        import faulthandler

        faulthandler.enable()
    if env.get("PYTHONTRACEMALLOC", "0").isdigit() and env.get("PYTHONTRACEMALLOC", "0") != "0":
        import tracemalloc

        tracemalloc.start(int(env["PYTHONTRACEMALLOC"]))
    if env.get("PYTHONINTMAXSTRDIGITS", "").isdigit():
        sys.set_int_max_str_digits(int(env["PYTHONINTMAXSTRDIGITS"]))
    if env.get("PYTHONPYCACHEPREFIX"):
        sys.pycache_prefix = env["PYTHONPYCACHEPREFIX"]


def add_paths(spec: SpawnSpec, before: list[str]) -> None:
    """Its PYTHONPATH, after its own directory; and for the children all that was put in front of `before`."""
    named = [_place(here_of(spec), path) for path in spec["env"].get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:] = dict.fromkeys([*sys.path[:1], *named, *sys.path[1:]])
    paths = os.pathsep.join([path for path in sys.path if path not in before])
    VARIABLES.put({b"PYTHONPATH": paths.encode(*BYTES)})


def _place(here: str, path: str) -> str:
    """Without isolation the code lies elsewhere than its settings know."""
    return os.path.join(
        here, path.removeprefix(rootfs.HERE).lstrip("/") if f"{path}/".startswith(rootfs.HERE + "/") else path
    )


def without_effect(env: dict[str, str]) -> list[str]:
    """What of its variables cannot do what it is for, in words for whoever has set it."""
    notes = [
        f"{name} in env reaches only the Python processes that the function starts" for name in env if name in TOO_LATE
    ]
    zone = env.get("TZ", "").lstrip(":")
    if zone[:1].isalpha() and "/" in zone and not os.path.exists(os.path.join(ZONES, zone)):
        notes.append(f"TZ: this machine knows no time zone {zone[:64]!r}, so times are UTC")
    return notes


def pose(file: str) -> None:
    sys.argv[:] = [file]
    sys.orig_argv[1:] = [file]
    main = ModuleType("__main__")
    main.__file__ = file
    # A child of multiprocessing imports what is __main__ here anew, unless it was started with `-m`.
    main.__spec__ = ModuleSpec("function.__main__", None, origin=file)
    sys.modules["__main__"] = main


class Script:
    """Poses as the script that was started. Which file that is shows when the first module of its own is looked for:
    before that runs, it may read its arguments."""

    def __init__(self, here: str) -> None:
        self._here = here
        if sys.argv != [here]:
            pose(here)
        sys.meta_path.insert(0, self)

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """As a finder of modules, which finds none."""
        if path is None:
            stem = f"{self._here}/{name}"
            for file in (f"{stem}.py", f"{stem}/__init__.py"):
                if os.access(file, os.F_OK):
                    pose(file)
                    self.end()
                    return

    def end(self) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def settle(self, handler: str, module: ModuleType) -> None:
        """The handler is found: it is of this module."""
        self.end()
        name, _, attribute = handler.rpartition(":")
        for variable, value in (("_HANDLER", f"{name}.{attribute}"), ("FUNCTION_TARGET", attribute)):
            if output.variable(variable) != value:
                os.environ[variable] = value
        file = getattr(module, "__file__", None)
        if file and sys.modules.get("__main__") is not module and sys.argv[:1] != [file]:
            arguments = sys.argv[1:]
            pose(file)
            sys.argv[1:] = arguments
