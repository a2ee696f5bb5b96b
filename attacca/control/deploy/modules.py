"""Whether what was uploaded is a function in WebAssembly and nothing beside it, and whether what is to run it can."""

from pathlib import Path

from attacca.errors import BadFunction
from attacca.model.function import MODULE, PROGRAM, RuntimeKind
from attacca.model.wasm import COMPONENT, CORE, MAGIC

HEAD_BYTES = 8
FROM_PYTHON = "deploy a .wasm file, or have one made of Python: attacca deploy PATH --runtime wasm"
LEAVE_OUT = "leave runtime out: what lies there says what runs it"
ALONE = "deploy one module or component, as a file or alone in a directory with its function.toml"
OF_PYTHON = (RuntimeKind.PROCESS, RuntimeKind.MICROVM)
COMPILED = (".py", ".pyc", ".so")
REQUIRED = ("requirements.txt", "pyproject.toml")  # what they name may be all of it


def expect_fit(directory: Path, runtime: RuntimeKind) -> None:
    """What is no image and no WebAssembly that is to run as such. Blocking: it looks at the files there.

    Raises:
        BadFunction: that runtime never runs it.
    """
    names = sorted(entry.name for entry in directory.iterdir())
    if runtime is RuntimeKind.CUSTOM and PROGRAM not in names:
        what = _other(names) or "there is no such file"
        raise BadFunction(f'runtime = "{runtime}" runs a program called {PROGRAM}, and {what}', LEAVE_OUT)
    if runtime in OF_PYTHON and (what := _other(names)) and not _has_python(directory, names):
        raise BadFunction(f'runtime = "{runtime}" imports Python, and {what}', LEAVE_OUT)


def _has_python(directory: Path, names: list[str]) -> bool:
    return any(name in REQUIRED for name in names) or any(path.suffix in COMPILED for path in directory.rglob("*"))


def _other(names: list[str]) -> str:
    """What there is, if it says so by its name."""
    if found := next((name for name in names if name.endswith(MODULE)), ""):
        return f"{found} is WebAssembly"
    return f"{PROGRAM} is a program" if PROGRAM in names else ""


def is_wasm(directory: Path, runtime: RuntimeKind) -> bool:
    """Blocking: it looks at the files there.

    Raises:
        BadFunction: it is to be one, and is none; or there are several.
    """
    if runtime not in (RuntimeKind.AUTO, RuntimeKind.WASM):
        return False
    names = sorted(entry.name for entry in directory.iterdir())
    found = [name for name in names if name.endswith(MODULE)]
    if runtime is RuntimeKind.AUTO:
        is_other = PROGRAM in names or any(name.endswith(".py") for name in names)
        if is_other or not found:
            return False
    if len(found) != 1:
        what = f"there are several modules of WebAssembly: {', '.join(found)}" if found else "there is no .wasm file"
        raise BadFunction(what, ALONE if found else FROM_PYTHON)
    with open(directory / found[0], "rb") as file:
        head = file.read(HEAD_BYTES)
    if head[:4] != MAGIC or head[4:] not in (CORE, COMPONENT):
        what = "does not begin with \\0asm" if head[:4] != MAGIC else f"is of an unknown version ({head[4:].hex()})"
        raise BadFunction(f"{found[0]} is no module of WebAssembly: it {what}", ALONE)
    return True
