"""What is uploaded is a function in WebAssembly where one module lies alone, or where it is said."""

from pathlib import Path

import pytest

from attacca.control.deploy.modules import expect_fit, is_wasm
from attacca.errors import BadFunction
from attacca.model.function import RuntimeKind
from tests.cases import each

MODULE, COMPONENT = b"\0asm\1\0\0\0", b"\0asm\r\0\1\0"


def lay(place: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (place / name).write_bytes(data)
    return place


@each(
    "files, runtime, found",
    [
        ({"a.wasm": MODULE}, "auto", True),
        ({"a.wasm": COMPONENT, "function.toml": b""}, "auto", True),
        ({"a.wasm": MODULE, "main.py": b""}, "auto", False),
        ({"a.wasm": MODULE, "main.py": b""}, "wasm", True),
        ({"a.wasm": MODULE, "bootstrap": b""}, "auto", False),
        ({"a.wasm": b"any", "main.py": b""}, "process", False),
        ({"main.py": b""}, "auto", False),
    ],
)
def test_a_module_is_recognised(tmp_path: Path, files: dict[str, bytes], runtime: str, found: bool) -> None:  # noqa: FBT001 - a column
    assert is_wasm(lay(tmp_path, files), RuntimeKind(runtime)) is found


@each(
    "files, why",
    [
        ({"a.wasm": b"\0as"}, "a.wasm is no module of WebAssembly: it does not begin with"),
        ({"a.wasm": b"\0asm\2\0\0\0"}, r"unknown version \(02000000\)"),
        ({"a.wasm": MODULE, "b.wasm": MODULE}, "several modules of WebAssembly: a.wasm, b.wasm"),
        ({"main.py": b""}, "there is no .wasm file"),
    ],
)
def test_what_is_to_be_one_and_is_none_is_refused(tmp_path: Path, files: dict[str, bytes], why: str) -> None:
    with pytest.raises(BadFunction, match=why):
        is_wasm(lay(tmp_path, files), RuntimeKind.WASM)


@each(
    "files, runtime, why",
    [
        ({"a.wasm": MODULE}, "microvm", 'runtime = "microvm" imports Python, and a.wasm is WebAssembly'),
        ({"a.wasm": MODULE, "function.toml": b""}, "process", 'runtime = "process" imports Python, and a.wasm'),
        ({"bootstrap": b""}, "microvm", "and bootstrap is a program"),
        ({"a.wasm": MODULE}, "custom", "runs a program called bootstrap, and a.wasm is WebAssembly"),
        ({"main.py": b""}, "custom", "runs a program called bootstrap, and there is no such file"),
    ],
)
def test_what_a_runtime_never_runs_is_refused(tmp_path: Path, files: dict[str, bytes], runtime: str, why: str) -> None:
    with pytest.raises(BadFunction, match=why):
        expect_fit(lay(tmp_path, files), RuntimeKind(runtime))


@each(
    "files, runtime",
    [
        ({"main.py": b"", "a.wasm": MODULE}, "microvm"),
        ({"main.py": b"", "bootstrap": b""}, "process"),
        ({"requirements.txt": b"", "bootstrap": b""}, "process"),
        ({"bootstrap": b"", "a.wasm": MODULE}, "custom"),
        ({"bootstrap": b""}, "auto"),
        ({"README": b""}, "microvm"),  # which who looks for a function there says better
    ],
)
def test_what_a_runtime_may_run_is_not(tmp_path: Path, files: dict[str, bytes], runtime: str) -> None:
    expect_fit(lay(tmp_path, files), RuntimeKind(runtime))
