"""A function of Python that is to be WebAssembly becomes a component before it is sent."""

from pathlib import Path

import pytest

from attacca.client import component
from attacca.client.component import ready
from attacca.client.source import Source
from attacca.errors import BadFunction, BuildFailed
from attacca.model.function import RuntimeKind, Settings

pytestmark = pytest.mark.long  # modules are compiled

WASM = Settings(name="f", runtime=RuntimeKind.WASM, timeout_s=3)


@pytest.fixture(autouse=True)
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("importlib.metadata.version", lambda _: "1.0")
    return tmp_path / "cache" / "attacca" / "components"


def python(place: Path, text: str = "def handler(event): return event") -> Path:
    (place / "shop").mkdir(exist_ok=True)
    (place / "shop" / "main.py").write_text(text)
    return place / "shop"


def test_what_is_no_python_or_none_for_wasm_is_left_alone(tmp_path: Path) -> None:
    alone = tmp_path / "a.wasm"
    alone.write_bytes(b"\0asm")
    for source in (Source(python(tmp_path), Settings(name="f")), Source(alone, WASM)):
        with ready(source, pytest.fail) as made:
            assert made is source


def test_it_is_made_once_for_the_same_code(tmp_path: Path, cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def run(command: list[str], inside: Path) -> str:
        ran.append([word.replace(str(inside), "IN") for word in command])
        Path(command[-1]).write_bytes(b"component")
        entry = (inside / "code" / "_attacca_component.py").read_text()
        assert "Component('', '', os.path.dirname(__file__), 3, answer)" in entry
        assert (inside / "ours" / "attacca" / "guest" / "component.py").is_file()
        return ""

    monkeypatch.setattr(component, "_run", run)
    monkeypatch.setattr(component, "_tool", lambda: "componentize-py")
    said: list[str] = []
    for text in ("def handler(event): return 1", "def handler(event): return 1", "def handler(event): return 2"):
        with ready(Source(python(tmp_path, text), WASM), said.append) as made:
            assert [file.name for file in made.path.iterdir()] == ["function.wasm"]
            assert (made.path / "function.wasm").read_bytes() == b"component"
        assert not made.path.exists()
    assert said == [
        "componentize-py makes a component, which takes a while",
        "the component of this code is there already",
        "componentize-py makes a component, which takes a while",
    ]
    paths = ["-p", "IN/code", "-p", "IN/bundle", "-p", "IN/ours"]
    command = ["componentize-py", "-d", "IN/wit", "-w", "handler", "componentize", *paths, "_attacca_component"]
    assert ran[0] == [*command, "-o", "IN/function.wasm"]
    assert len(list(cached.iterdir())) == len(ran) == 2


def test_what_cannot_be_made_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(component, "_run", lambda *_: "ImportError: no module")
    monkeypatch.setattr(component, "_tool", lambda: "componentize-py")
    source = Source(python(tmp_path), WASM)
    with pytest.raises(BadFunction, match="no component could be made of it") as caught, ready(source, lambda _: None):
        pass
    assert caught.value.__notes__ == ["ImportError: no module"]
    (source.path / "requirements.txt").write_text("numpy\n")
    with pytest.raises(BuildFailed, match="not to be had as Python alone"), ready(source, lambda _: None):
        pass
    (source.path / "fast.so").touch()
    with pytest.raises(BadFunction, match=r"fast\.so is compiled for a processor"), ready(source, lambda _: None):
        pass
