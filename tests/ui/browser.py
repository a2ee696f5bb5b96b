"""Chromium as Debian has it, and pages that must not complain."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright

QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
WAIT_MS = 20_000
HEADING = "h1"


@contextmanager
def browser() -> Iterator[Any]:
    path = shutil.which("chromium")
    assert path is not None, "there is no chromium: scripts/debian.sh chromium"
    with sync_playwright() as play:
        made = play.chromium.launch(executable_path=path, args=list(QUIET))
        try:
            yield made
        finally:
            made.close()


@contextmanager
def opened(chromium: Any, url: str, *, may_fail: tuple[int, ...] = (), **looks: Any) -> Iterator[Any]:
    """A page of a browser of its own. At the end nothing may have been wrong with it: no error in its console, no
    dialog of a script, nothing asked of another host, and no answer that says so but those that `may_fail`."""
    context = chromium.new_context(**{"viewport": {"width": 1360, "height": 900}, **looks})
    context.set_default_timeout(WAIT_MS)
    page, wrong, host = context.new_page(), list[str](), urlsplit(url).netloc

    def hear(message: Any) -> None:
        # The browser writes a line of its own for each answer that says no: those are looked at as answers.
        if message.type == "error" and "Failed to load" not in message.text:
            wrong.append(message.text)

    def asked(request: Any) -> None:
        if urlsplit(request.url).netloc != host:
            wrong.append(f"asked {request.url}")

    def answered(response: Any) -> None:
        if response.status >= 400 and response.status not in may_fail:
            wrong.append(f"{response.status} {response.url}")

    def refuse(dialog: Any) -> None:
        wrong.append(f"a script says {dialog.message!r}")
        dialog.dismiss()

    page.on("console", hear)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("request", asked)
    page.on("response", answered)
    page.on("dialog", refuse)
    try:
        page.goto(url)
        yield page
    finally:
        context.close()
    assert wrong == [], wrong


def go(page: Any, place: str, heading: str) -> None:
    page.evaluate("place => { location.hash = place; }", place)
    page.get_by_role("heading", level=1, name=heading, exact=True).wait_for()


def said(page: Any, text: str) -> None:
    """What was done has been told, also to who cannot see it."""
    page.locator("#said").get_by_text(text).first.wait_for()


def confirm(page: Any, verb: str) -> None:
    page.get_by_role("dialog").get_by_role("button", name=verb, exact=True).click()
