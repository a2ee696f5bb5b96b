"""Deploy every example to a running server, ask each with its real input, and print what came of it; workflows, too."""

import argparse
import importlib.util
import io
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from rich.text import Text

from attacca.client.http import Answer, Client
from attacca.client.source import deploy as send
from attacca.client.source import find
from attacca.client.workflow_file import read
from attacca.client.workflows import started
from attacca.errors import AttaccaError, BuildFailed
from attacca.io.archive import pack
from attacca.model.function import Image, MicroVm, PythonDirectory, PythonImage, WasmFunction

HERE = Path(__file__).resolve().parent
URL = os.environ.get("ATTACCA_URL") or "http://127.0.0.1:8080"
WARM_CALLS, WARM_CALLS_MIN, WARM_S = 50, 5, 2.0  # warm calls of each: as many as fit into two seconds, at least five
JSON, BYTES = "application/json", "application/octet-stream"


class Example(NamedTuple):
    """One function, what it is sent, and how to say in a few words what it answered."""

    name: str
    target: str  # what follows /function/
    input: Path
    content_type: str
    say: Callable[[bytes], str]


class Flow(NamedTuple):
    """A workflow that needs no server of others, what is posted to its door, and how to say what it answered."""

    name: str
    door: str
    input: Path
    say: Callable[[bytes], str]


class Row(NamedTuple):
    """A line of the table. Times in milliseconds as this client saw them."""

    function: str
    result: str
    ok: bool
    start: str
    first_ms: float
    warm_calls: int
    p50_ms: float
    p99_ms: float
    bytes_in: int
    bytes_out: int


def size_of_jpeg(data: bytes) -> str:
    """Width x height, from the frame header that every JPEG has."""
    at = 2
    while at + 9 < len(data) and data[at] == 0xFF:
        if data[at + 1] in (0xC0, 0xC1, 0xC2):
            return f"{int.from_bytes(data[at + 7 : at + 9])} x {int.from_bytes(data[at + 5 : at + 7])}"
        at += 2 + int.from_bytes(data[at + 2 : at + 4])
    raise ValueError("this is not a JPEG")


def say_thumbnail(body: bytes) -> str:
    original = (HERE / "thumbnail/input/lake.jpg").read_bytes()
    return f"photo {size_of_jpeg(original)} to {size_of_jpeg(body)}"


def say_markdown(body: bytes) -> str:
    return f"README.md to HTML, {len(re.findall(rb'<h[1-6]', body))} headings"


def say_linsolve(body: bytes) -> str:
    answer = json.loads(body)
    n = len(answer["x"])
    return f"{n} x {n} system, residual {answer['residual']:.0e}, condition {answer['condition']:.0f}"


def say_page(body: bytes) -> str:
    paid = re.findall(rb"EUR [\d.,]+", body)
    return f"invoice of {body.count(b'<tr>') - 4} lines, {paid[-1].decode()}"


def say_compress(body: bytes) -> str:
    answer = json.loads(body)
    best = max(answer["methods"], key=lambda method: method["ratio"])
    return f"Newton's Opticks, {best['method']} {best['ratio']:.1f} x smaller"


def say_api(body: bytes) -> str:
    item = json.loads(body)
    return f"added item {item['id']}, {item['name'].split(',')[0]} at {item['price']:.2f}"


def say_gpu(body: bytes) -> str:
    answer = json.loads(body)
    where = "the processor" if answer["where"] == "cpu" else f"device {answer['where']}"
    return f"{sum(answer['explained']):.0%} of flowers in {len(answer['components'])} components, on {where}"


EXAMPLES = (
    Example(
        "thumbnail", "thumbnail?width=320&height=320", HERE / "thumbnail/input/lake.jpg", "image/jpeg", say_thumbnail
    ),
    Example("markdown", "markdown", HERE.parent / "README.md", "text/markdown", say_markdown),
    Example("linsolve", "linsolve", HERE / "linsolve/input/ladder.json", JSON, say_linsolve),
    Example("page", "page", HERE / "page/input/invoice.json", JSON, say_page),
    Example("compress", "compress", HERE / "compress/input/opticks.txt", BYTES, say_compress),
    Example("api", "api/items", HERE / "api/input/item.json", JSON, say_api),
    Example("gpu", "gpu", HERE / "gpu/input/flowers.json", JSON, say_gpu),
)


class Other(NamedTuple):
    """An example of another runtime than Python's, where the server's worker has that: `kind` is the code's, as the
    worker names it; `needs`, a program or library that must be here, and what brings it."""

    example: Example
    kind: str
    place: Path
    needs: str
    hint: str
    runtime: str = ""  # where what it is says another
    handler: str = ""  # in an image


def say_custom(body: bytes) -> str:
    return f"JavaScript says {json.loads(body)['greeting']}"


def say_wasm(body: bytes) -> str:
    return f"a module of WebAssembly gives {len(body):,} bytes back"


def say_in_image(body: bytes) -> str:
    return str(json.loads(body)["greeting"])


def say_container(body: bytes) -> str:
    title = re.search(rb"<title>Python: ([^<]+)</title>", body)
    return f"documentation of {title[1].decode() if title else '?'}, {body.count(b'<dl>')} entries"


OTHERS = (
    Other(
        Example("custom", "custom", HERE / "programs/node/input/names.json", JSON, say_custom),
        PythonDirectory.what, HERE / "programs/node", "node", "apt-get install nodejs",
    ),
    Other(
        Example("wasm", "wasm", HERE / "workflows/words/reader/text.txt", BYTES, say_wasm),
        WasmFunction.what, HERE / "programs/wasm-wat/echo.wat", "wasmtime", "pip install 'attacca[wasm]'",
    ),
    Other(
        Example("container", "container", HERE / "container/input/module.txt", "text/plain", say_container),
        Image.what, HERE / "container", "", "run the server as root, with crun: apt-get install crun",
    ),
    Other(
        Example("in-image", "in-image", HERE / "in-image/input/visitor.json", JSON, say_in_image),
        PythonImage.what, HERE / "in-image", "", "run the server without --isolation none", handler="visitors:handler",
    ),
    Other(
        Example("microvm", "microvm", HERE / "compress/input/opticks.txt", BYTES, say_compress),
        MicroVm.what, HERE / "compress", "", "attacca doctor says what a virtual machine needs here", "microvm",
    ),
)  # fmt: skip


def say_mapreduce(body: bytes) -> str:
    answer = json.loads(body)
    word, count = next(iter(answer["most"].items()))
    return f"Newton's Opticks in {answer['pieces']} pieces, {answer['words']:,} words, {word!r} {count:,} times"


def say_guestbook(body: bytes) -> str:
    count = len(json.loads(body)["entries"])
    return f"{count} {'entry' if count == 1 else 'entries'} in a database on the worker"


FLOWS = (
    Flow("mapreduce", "/words", HERE / "compress/input/opticks.txt", say_mapreduce),
    Flow("guestbook", "/guestbook", HERE / "workflows/words/reader/text.txt", say_guestbook),
)


def flow(client: Client, example: Flow, console: Console) -> bool:
    """Started unless it runs already, and asked once its door is open.

    Raises:
        AttaccaError: it was refused.
    """
    if example.name not in {view["name"] for view in client.json("GET", "/api/workflows")}:
        with console.status(f"Starting {example.name}"):
            started(client, read(HERE / "workflows" / example.name), lambda _: None)
    answer = client.request("POST", example.door, example.input.read_bytes(), {"content-type": "text/plain"})
    is_ok = answer.status == 200
    console.print(f"workflow {example.name:<10} {example.say(answer.body) if is_ok else blame(answer)}", markup=False)
    return is_ok


def runs(client: Client, other: Other, console: Console) -> bool:
    """Deployed, if this machine can."""
    kinds = {kind for node in client.json("GET", "/api/nodes") for kind in node["machine"].get("networks") or {}}
    is_here = not other.needs or shutil.which(other.needs) or importlib.util.find_spec(other.needs)
    if other.kind not in kinds or not is_here:
        console.print(f"left out {other.example.name:<10} {other.hint}", markup=False)
        return False
    if other.kind in (Image.what, PythonImage.what):
        push(other, console)
        client.close()  # a server does not wait for ever for who says nothing meanwhile
        return True
    with tempfile.TemporaryDirectory() as room:
        place = other.place
        if place.suffix == ".wat":
            import wasmtime

            place = Path(room) / "module.wasm"
            place.write_bytes(wasmtime.wat2wasm(other.place.read_text()))
        deploy(client, other.example, console, place, other.runtime)
    return True


def push(other: Other, console: Console) -> None:
    """Into the server's registry, which deploys it.

    Raises:
        AttaccaError: it was refused.
    """
    began = time.perf_counter()
    command = [sys.executable, "-m", "attacca.cli.app", "build", str(other.place), "--tag", other.example.name]
    command += ["--handler", other.handler] if other.handler else []
    with console.status(f"Building {other.example.name}"):
        done = subprocess.run(
            [*command, "--url", URL, "--json"], capture_output=True, text=True, check=False, env=os.environ
        )
    if done.returncode:
        raise BuildFailed(f"attacca build failed: {done.stderr.strip()[-500:]}", "attacca doctor")
    made, took_s = json.loads(done.stdout), time.perf_counter() - began
    found = f"{made['digest'][:19]}, {made['layers']} layers, {made['bytes'] / 1e6:.0f} MB"
    console.print(f"deployed {other.example.name:<10} {found:<48} {took_s:6.1f} s", markup=False)


def deploy(client: Client, example: Example, console: Console, place: Path | None = None, runtime: str = "") -> None:
    """As `attacca deploy` does it, with one line for what came of it instead of the whole log.

    Raises:
        AttaccaError: it was refused; a traceback goes along as a note.
    """
    began = time.perf_counter()
    told = {"name": example.name, "runtime": runtime}
    source = find(place or HERE / example.name, {key: value for key, value in told.items() if value})
    with console.status(f"Deploying {example.name}") as status:
        for line in send(client, source, io.BytesIO(pack(source.path)), allow_source_builds=False):
            if "step" in line:
                status.update(f"Deploying {example.name}: {line['step']} {line['text'].strip()[:80]}")
                continue
            done, took_s = line["done"], time.perf_counter() - began
            found = f"{done['handler']}, {done['signature']}, imported in {done['imports_ms']:.0f} ms"
            console.print(f"deployed {example.name:<10} {found:<48} {took_s:6.1f} s", markup=False)


def invoke(client: Client, example: Example, body: bytes) -> tuple[Answer, float]:
    began = time.perf_counter()
    answer = client.request("POST", f"/function/{example.target}", body, {"content-type": example.content_type})
    return answer, (time.perf_counter() - began) * 1000


def measure(client: Client, example: Example) -> Row:
    body = example.input.read_bytes()
    first, first_ms = invoke(client, example, body)
    answers, times = [first], list[float]()
    began = time.perf_counter()
    while len(times) < WARM_CALLS and (len(times) < WARM_CALLS_MIN or time.perf_counter() - began < WARM_S):
        answer, took_ms = invoke(client, example, body)
        answers.append(answer)
        times.append(took_ms)
    wrong = next((answer for answer in answers if answer.status >= 300), None)
    return Row(
        function=example.name,
        result=example.say(first.body) if wrong is None else blame(wrong),
        ok=wrong is None,
        start=first.headers.get("x-attacca-start", "none"),
        first_ms=first_ms,
        warm_calls=len(times),
        p50_ms=quantile(times, 0.5),
        p99_ms=quantile(times, 0.99),
        bytes_in=len(body),
        bytes_out=len(first.body),
    )


def blame(answer: Answer) -> str:
    try:
        said: Any = json.loads(answer.body)["error"]
        return f"{answer.status} {said['code']}: {said['message']}"
    except (ValueError, KeyError, TypeError):
        return f"{answer.status}: {answer.body[:80].decode(errors='replace')}"


def quantile(values: list[float], share: float) -> float:
    """The smallest value that at least this share of them does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def show(rows: list[Row], console: Console) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("function", style="cyan")
    table.add_column("what it did")
    table.add_column("first start")
    for heading in ("first ms", "warm p50 ms", "p99 ms", "bytes in", "bytes out"):
        table.add_column(heading, justify="right")
    for row in rows:
        result = Text(row.result, style="" if row.ok else "red")
        times = (f"{value:.2f}" for value in (row.first_ms, row.p50_ms, row.p99_ms))
        table.add_row(row.function, result, row.start, *times, f"{row.bytes_in:,}", f"{row.bytes_out:,}")
    console.print(table)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--json", action="store_true", help="print JSON for programs, and nothing else on stdout")
    as_json = options.parse_args().json
    console = Console(highlight=False, stderr=as_json)
    if not console.is_terminal:
        console.width = 132
    try:
        with Client(URL, os.environ.get("ATTACCA_TOKEN", ""), read_s=600) as client:
            for example in EXAMPLES:
                deploy(client, example, console)
            others = [other.example for other in OTHERS if runs(client, other, console)]
            rows = [measure(client, example) for example in (*EXAMPLES, *others)]
            flows = [flow(client, example, console) for example in FLOWS]
    except AttaccaError as error:
        print("\n".join([error.message, *getattr(error, "__notes__", []), f"try: {error.hint}"]), file=sys.stderr)
        return 1
    if as_json:
        print(json.dumps([row._asdict() for row in rows], indent=2))
    else:
        console.print()
        show(rows, console)
    return 0 if all(flows) and all(row.ok for row in rows) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
