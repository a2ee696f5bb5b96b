"""A component of WebAssembly from a function of Python, made by componentize-py on the machine of who deploys it.

What came of the same code is kept, because making it takes many seconds: CPython is started in WebAssembly, imports the
code there, and its memory becomes a part of the component.
"""

import contextlib
import hashlib
import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from attacca.client.source import FILE, Source
from attacca.errors import AttaccaError, BadFunction, BuildFailed
from attacca.io.archive import IGNORED
from attacca.model.function import MODULE, RuntimeKind

TOOL, PYTHON = "componentize-py", "3.14"  # of the interpreter that it brings
MADE, ENTRY, WORLD = "function.wasm", "_attacca_component", "handler"
BUILD_S = 900.0
KEPT = 20  # components
TAIL = 30  # lines of what a tool said
INSTALL = "pip install 'attacca[componentize]'"
REQUIREMENTS = "requirements.txt"
NATIVE = ("*.so", "*.pyd", "*.dylib")
WIT = """package attacca:function;

interface answer {
  head: func(status: u16, headers: list<tuple<string, string>>);
  write: func(piece: list<u8>);
}

world handler {
  import answer;
  export handle: func(body: list<u8>) -> result<list<u8>, string>;
}
"""
START = """import os
if not hasattr(os, "register_at_fork"):
    os.register_at_fork = lambda **_: None
from componentize_py_types import Err
from wit_world.imports import answer
from attacca.guest.component import Component, Failure

COMPONENT = Component({handler!r}, {event!r}, os.path.dirname(__file__), {timeout_s!r}, answer)


class WitWorld:
    def handle(self, body):
        try:
            return COMPONENT.handle(bytes(body))
        except Failure as failure:
            raise Err(failure.args[0]) from None
"""


def _is_wanted(source: Source) -> bool:
    """Is it Python that is to be WebAssembly?"""
    path = source.path
    is_there = path.suffix == MODULE if path.is_file() else next(path.glob(f"*{MODULE}"), None) is not None
    return source.settings.runtime is RuntimeKind.WASM and not is_there


@contextlib.contextmanager
def ready(source: Source, say: Callable[[str], None]) -> Iterator[Source]:
    """The same function as it can be sent: where it is Python that is to be WebAssembly, as a component.

    Raises:
        BadFunction: it has parts that are compiled for a processor, or cannot be imported there.
        BuildFailed: the tool is not there, what it requires is not to be had, or it takes too long.
    """
    if not _is_wanted(source):
        yield source
        return
    with tempfile.TemporaryDirectory(prefix="attacca-") as room:
        inside = Path(room)
        _lay(source, inside)
        kept = cache() / f"{_digest(inside)}{MODULE}"
        if kept.is_file():
            os.utime(kept)
            say("the component of this code is there already")
        else:
            say(f"{TOOL} makes a component, which takes a while")
            _require(inside)
            _keep(_make(inside), kept)
        target = inside / "made"
        target.mkdir()
        shutil.copyfile(kept, target / MADE)
        yield Source(target, source.settings)


def cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "attacca" / "components"


def _lay(source: Source, inside: Path) -> None:
    code, settings = inside / "code", source.settings
    if source.path.is_file():
        code.mkdir()
        shutil.copy(source.path, code)
    else:
        shutil.copytree(source.path, code, ignore=shutil.ignore_patterns(*IGNORED))
    native = next((path.relative_to(code) for pattern in NATIVE for path in sorted(code.rglob(pattern))), None)
    if native is not None:
        what = f"{native} is compiled for a processor, and WebAssembly has none"
        raise BadFunction(what, "leave it out, or deploy without --runtime wasm")
    told = {"handler": settings.handler or "", "event": str(settings.event or ""), "timeout_s": settings.timeout_s}
    (code / f"{ENTRY}.py").write_text(START.format(**told))
    ours = inside / "ours" / "attacca"
    guest = Path(__file__).parents[1] / "guest"
    shutil.copytree(guest, ours / "guest", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    (ours / "__init__.py").touch()
    (inside / "wit").mkdir()
    (inside / "wit" / "function.wit").write_text(WIT)


def _digest(inside: Path) -> str:
    """Of all that it is made of, and by."""
    try:
        tool = importlib.metadata.version(TOOL)
    except importlib.metadata.PackageNotFoundError:
        raise BuildFailed(f"{TOOL} is not installed, which makes components of Python", INSTALL) from None
    whole = hashlib.sha256(tool.encode())
    for path in sorted(inside.rglob("*")):
        if path.is_file() and path.name != FILE:
            whole.update(f"\0{path.relative_to(inside)}\0{path.stat().st_size}\0".encode())
            whole.update(path.read_bytes())
    return whole.hexdigest()


def _require(inside: Path) -> None:
    """Of what it requires only wheels that are Python alone: those for a processor would not run."""
    wanted = inside / "code" / REQUIREMENTS
    (inside / "bundle").mkdir()
    if not wanted.is_file():
        return
    kinds = ("--only-binary=:all:", "--platform=any", "--implementation=py", "--abi=none", f"--python-version={PYTHON}")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *kinds]
    said = _run([*command, f"--target={inside / 'bundle'}", f"--requirement={wanted}"], inside)
    if said:
        what = f"what {REQUIREMENTS} names is not to be had as Python alone"
        raise _noted(BuildFailed(what, "require what has no compiled parts"), said)


def _make(inside: Path) -> Path:
    beside = (arg for place in ("code", "bundle", "ours") for arg in ("-p", str(inside / place)))
    command = [_tool(), "-d", str(inside / "wit"), "-w", WORLD, "componentize", *beside, ENTRY]
    made = inside / MADE
    said = _run([*command, "-o", str(made)], inside)
    if said or not made.is_file():
        raise _noted(BadFunction("no component could be made of it", "it has to be importable in WebAssembly"), said)
    return made


def _noted(error: AttaccaError, said: str) -> AttaccaError:
    error.add_note(said)
    return error


def _tool() -> str:
    beside = Path(sys.executable).with_name(TOOL)
    found = str(beside) if beside.is_file() else shutil.which(TOOL)
    if found is None:
        raise BuildFailed(f"{TOOL} is not on PATH", INSTALL)
    return found


def _run(command: list[str], inside: Path) -> str:
    """What it said last, where it failed.

    Raises:
        BuildFailed: it took too long.
    """
    try:
        ended = subprocess.run(
            command, cwd=inside, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=BUILD_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise BuildFailed(f"{Path(command[0]).name} took longer than {BUILD_S:g} s", "import less") from None
    lines = (ended.stdout + ended.stderr).strip().splitlines()
    return "" if ended.returncode == 0 else "\n".join(lines[-TAIL:]) or f"it ended with status {ended.returncode}"


def _keep(made: Path, kept: Path) -> None:
    """In one step; the oldest go."""
    kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    unfinished = kept.with_suffix(f".{os.getpid()}")
    shutil.copyfile(made, unfinished)
    unfinished.rename(kept)
    there = sorted(kept.parent.glob(f"*{MODULE}"), key=lambda path: path.stat().st_mtime)
    for path in there[:-KEPT]:
        path.unlink(missing_ok=True)
