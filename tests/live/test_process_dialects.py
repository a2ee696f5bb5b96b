"""Functions as people write them, each found by its template, and again by a cold sandbox and by one that is forked."""

import socket
from typing import Any

import msgspec
import pytest

from attacca.model.function import Signature
from attacca.worker.core.reports import TemplateFailed, TemplateReady
from tests.guest.written import write
from tests.live.house import House, value, visit

PRICE = "def price(): return 48.5"
LAYER = """
    def layer(f):
        def inner(*args, **kwargs): return f(*args, **kwargs)
        return inner
    @layer
    @layer
    async def lambda_handler(_event, _context): return [_event, _context.function_name]
"""


@pytest.mark.parametrize(
    ("files", "said", "handler", "signature", "answer"),
    [
        ({"main.py": LAYER}, "", "main:lambda_handler", Signature.EVENT_CONTEXT, [{"a": 1}, "f1"]),
        (
            {
                "__main__.py": "from prices import price\ndef main(args): return {'price': price(), **args}",
                "prices.py": PRICE,
            },
            "",
            "__main__:main",
            Signature.ARGS,
            {"price": 48.5, "a": 1},
        ),
        (
            {
                "main.py": "from shop.core import price\ndef handler(event, context): return price()",
                "src/shop/core.py": PRICE,
            },
            "",
            "main:handler",
            Signature.EVENT_CONTEXT,
            48.5,
        ),
        (
            {"item/get.py": "class Item:\n    @classmethod\n    def get(cls, evt, ctx): return [cls.__name__]"},
            "item/get.Item.get",
            "item.get:Item.get",
            Signature.EVENT_CONTEXT,
            ["Item"],
        ),
    ],
)
def test_a_function_is_found_as_it_is(
    files: dict[str, str], said: str, handler: str, signature: Signature, answer: Any
) -> None:
    async def story(house: House) -> list[Any]:
        revision = house.function("")
        code = house.state / "code" / revision.artefact.digests[0]
        (code / "main.py").unlink()
        write(code, files)
        revision = msgspec.structs.replace(revision, handler=said)
        template = await house.template(revision)
        assert isinstance(template, TemplateReady), template
        assert (template.handler, template.signature) == (handler, signature)
        found = msgspec.structs.replace(revision, handler=template.handler, signature=template.signature)
        made = [await house.sandbox(found), await house.sandbox(found, template.template)]
        return [value(await house.run(one, found, b'{"a": 1}')) for one in made]

    assert visit(story) == [answer, answer]


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("import cv2", "list opencv-python-headless in requirements.txt beside the code"),
        ("import os\nos.environ['NO_SUCH']", "set NO_SUCH under [env] in function.toml"),
        (f"import socket\nraise socket.gaierror({socket.EAI_AGAIN}, 'no')", 'network = "host" in function.toml'),
        ("class handler: ...", "name a function, or make an object"),
    ],
)
def test_what_would_help_is_told(source: str, hint: str) -> None:
    async def story(house: House) -> object:
        return await house.template(house.function(source))

    report = visit(story)
    assert isinstance(report, TemplateFailed)
    assert report.hint.startswith(hint)
