"""What `make run` prints: each example's answer in a few words, and the numbers beside it."""

import io
import json
import re

import pytest
from rich.console import Console

from attacca.client.http import Answer
from examples import run
from examples.compress.main import compress
from examples.container.main import page
from examples.linsolve.main import main as linsolve
from examples.markdown.main import handler as markdown
from examples.page.main import invoice
from examples.thumbnail.main import thumbnail
from tests.cases import each

INPUTS = {example.name: example.input.read_bytes() for example in run.EXAMPLES}


def body(answer: dict[str, object]) -> bytes:
    content = answer["body"]
    return content.encode() if isinstance(content, str) else bytes(content)  # type: ignore[call-overload]


def test_every_example_has_a_line() -> None:
    folders = sorted(path.parent.name for name in ("main.py", "visitors.py") for path in run.HERE.glob(f"*/{name}"))
    others = [other.example.name for other in run.OTHERS if other.place == run.HERE / other.example.name]
    assert sorted([*others, *(example.name for example in run.EXAMPLES)]) == folders


def test_other_runtimes_answers_in_a_few_words() -> None:
    assert run.say_custom(b'{"greeting": "hello ada"}') == "JavaScript says hello ada"
    assert run.say_wasm(b"abc") == "a module of WebAssembly gives 3 bytes back"
    status, text = page("json")
    assert status == 200
    assert re.fullmatch(r"documentation of json [\d.]+, \d+ entries", run.say_container(text.encode()))
    assert all(other.place.exists() and other.example.input.is_file() for other in run.OTHERS)


@each("name, why", [("numpy_", "is no module of Python's library"), ("json.nothing", "cannot be imported")])
def test_what_is_no_module_has_no_page(name: str, why: str) -> None:
    status, text = page(name)
    assert status == 404
    assert why in text


def test_answers_in_a_few_words() -> None:
    assert run.say_thumbnail(body(thumbnail(INPUTS["thumbnail"]))) == "photo 1600 x 1067 to 320 x 213"
    assert run.say_markdown(body(markdown(INPUTS["markdown"], None))).startswith("README.md to HTML, ")
    assert run.say_linsolve(json.dumps(linsolve(json.loads(INPUTS["linsolve"]))).encode()).startswith("8 x 8 system")
    assert run.say_page(body(invoice(**json.loads(INPUTS["page"])))) == "invoice of 5 lines, EUR 273.60"
    assert run.say_compress(json.dumps(compress(INPUTS["compress"][:9000])).encode()).endswith(" x smaller")
    assert run.say_guestbook(b'{"entries": ["a"]}') == "1 entry in a database on the worker"
    told = {"pieces": 13, "words": 26000, "most": {"the": 2271}}
    assert run.say_mapreduce(json.dumps(told).encode()).endswith("in 13 pieces, 26,000 words, 'the' 2,271 times")
    item = {"id": 1, **json.loads(INPUTS["api"])}
    assert run.say_api(json.dumps(item).encode()) == "added item 1, Oak shelf at 48.50"


@pytest.mark.parametrize(("share", "value"), [(0.0, 1.0), (0.5, 2.0), (0.51, 3.0), (0.99, 4.0), (1.0, 4.0)])
def test_quantiles_are_values_that_were_seen(share: float, value: float) -> None:
    assert run.quantile([3.0, 1.0, 4.0, 2.0], share) == value


def test_a_failure_is_shown_with_its_code() -> None:
    refusal = Answer(429, {}, b'{"error": {"code": "queue_full", "message": "too many", "try": ""}}')
    assert run.blame(refusal) == "429 queue_full: too many"
    assert run.blame(Answer(502, {}, b"<html>")) == "502: <html>"


def test_the_table_is_aligned() -> None:
    row = run.Row("page", "invoice of 5 lines", True, "template", 4.321, 50, 0.5, 1.25, 512, 2048)  # noqa: FBT003
    console = Console(file=io.StringIO(), width=132)
    run.show([row, row._replace(function="api", ok=False, result="500 x: [oops]")], console)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 3
    assert lines[0].index("first start") == lines[1].index("template") == lines[2].index("template")
    assert "[oops]" in lines[2]
