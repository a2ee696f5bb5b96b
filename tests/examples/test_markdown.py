"""The Markdown renderer on known Markdown and on the project's own README."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from examples.markdown.main import handler

README = (Path(__file__).parents[2] / "README.md").read_bytes()


def render(event: object) -> str:
    answer = handler(event, None)
    assert (answer["statusCode"], answer["headers"]) == (200, {"content-type": "text/html; charset=utf-8"})
    return str(answer["body"])


def test_known_markdown_becomes_known_html() -> None:
    page = render(b"# A & B\n\nSome *text*, ~~gone~~.\n\n| x | y |\n|---|---|\n| 1 | 2 |\n")
    assert '<h1 id="a-b">A &amp; B</h1>\n<p>Some <em>text</em>, <s>gone</s>.</p>' in page
    assert "<title>A &amp; B</title>" in page
    assert "<th>x</th>" in page
    assert "<td>2</td>" in page


def test_headings_are_listed_and_have_anchors_of_their_own() -> None:
    page = render({"markdown": "# One\n\n## Two `x`\n\n## Two `x`\n"})
    assert '<li class="h1"><a href="#one">One</a></li>' in page
    assert '<li class="h2"><a href="#two-x-2">Two x</a></li>' in page
    assert '<h2 id="two-x">Two <code>x</code></h2>' in page
    assert '<h2 id="two-x-2">' in page


def test_html_in_the_document_stays_text() -> None:
    assert "<script>" not in render(b"<script>alert(1)</script>\n\n[x](javascript:alert(1))")


def test_something_else_is_refused_with_what_to_send() -> None:
    with pytest.raises(TypeError, match="send the Markdown"):
        handler({"text": "x"}, None)


def test_the_readme_becomes_a_page_whose_tags_all_close() -> None:
    page = render(README)
    tags = Tags()
    tags.feed(page)
    assert tags.open == []
    assert page.count("<h") >= README.count(b"\n## ")


class Tags(HTMLParser):
    """Keeps the stack of open elements."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br", "img", "hr"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """It is closed already."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag
