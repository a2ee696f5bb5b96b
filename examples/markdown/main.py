"""Turn a Markdown document into an HTML page with a table of contents."""

import html
import logging
import re
from itertools import pairwise

from markdown_it import MarkdownIt
from markdown_it.token import Token

log = logging.getLogger("markdown")
renderer = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])

PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title></head>
<body>
<nav><ul>
{contents}
</ul></nav>
{body}</body>
</html>
"""


def handler(event: object, context: object) -> dict[str, object]:
    """`event` is the document: the request body as bytes, or {"markdown": "..."}."""
    text = source(event)
    tokens = renderer.parse(text)
    headings = name_headings(tokens)
    body = renderer.renderer.render(tokens, renderer.options, {})
    log.info("rendered %d characters with %d headings", len(text), len(headings))
    page = PAGE.format(
        title=html.escape(headings[0][2] if headings else "Untitled"),
        contents="\n".join(
            f'<li class="{level}"><a href="#{anchor}">{html.escape(text)}</a></li>' for level, anchor, text in headings
        ),
        body=body,
    )
    return {"statusCode": 200, "headers": {"content-type": "text/html; charset=utf-8"}, "body": page}


def source(event: object) -> str:
    match event:
        case bytes():
            return event.decode()
        case {"markdown": str(text)}:
            return text
        case _:
            raise TypeError('send the Markdown itself, or {"markdown": "..."}')


def name_headings(tokens: list[Token]) -> list[tuple[str, str, str]]:
    """Give every heading an anchor; the answer is (level, anchor, text) of each, in order."""
    found: list[tuple[str, str, str]] = []
    seen: dict[str, int] = {}
    for opening, inline in pairwise(tokens):
        if opening.type != "heading_open":
            continue
        text = "".join(child.content for child in inline.children or [])
        anchor = re.sub(r"[^\w]+", "-", text.lower()).strip("-") or "section"
        seen[anchor] = seen.get(anchor, 0) + 1
        if seen[anchor] > 1:
            anchor = f"{anchor}-{seen[anchor]}"
        opening.attrSet("id", anchor)
        found.append((opening.tag, anchor, text))
    return found
