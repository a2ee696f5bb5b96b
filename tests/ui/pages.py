"""Every page: light, dark and on a phone; and all of it by keyboard alone."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.live.whole import Whole
from tests.ui.browser import go, opened
from tests.ui.world import invocation, world

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
TABS = 9
LOOKS: dict[str, dict[str, Any]] = {"light": {}, "dark": {"color_scheme": "dark"}, "phone": PHONE}


def places(whole: Whole) -> dict[str, str]:
    """Where each page is, and what stands on top of it."""
    found, call = invocation(whole), whole.get("/api/async")[0]["id"]
    workflow = whole.get("/api/workflows")[0]["id"]
    return {
        "#/": "Overview", "#/functions": "Functions", "#/functions/echo": "echo", "#/calls": "Invocations",
        f"#/calls/{found}": found, "#/async": "Asynchronous calls", f"#/async/{call}": call, "#/schedules": "Schedules",
        "#/workflows": "Workflows", f"#/workflows/{workflow}": "counting", "#/cluster": "Cluster", "#/tokens": "Tokens",
        "#/energy": "Energy", "#/laboratory": "Laboratory", "#/laboratory/lab/first": "first",
    }  # fmt: skip


def look(chromium: Any, place: Path) -> Iterator[str]:
    with world(place) as whole:
        url = f"http://127.0.0.1:{whole.port}/ui"
        known = places(whole)
        for name, looks in LOOKS.items():
            with opened(chromium, url, **looks) as page:
                for where, heading in known.items():
                    go(page, where, heading)
                    page.wait_for_timeout(150)
                    over = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                    assert over <= 0, f"{name} {where} is {over} pixels too wide"
            yield f"{len(known)} pages, {name}"
        with opened(chromium, url) as page:
            yield from by_keyboard(page)
        with opened(chromium, url) as page:
            yield from quiet(page, known)
        with opened(chromium, url) as page:
            yield many(page, whole)


def by_keyboard(page: Any) -> Iterator[str]:
    page.get_by_role("heading", level=1, name="Overview").wait_for()
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    page.reload()
    page.get_by_role("heading", level=1, name="Overview").wait_for()
    for text in ("Skip to the content", "attacca", "Overview", "Functions"):
        page.keyboard.press("Tab")
        assert focused(page) == text
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", text
    page.keyboard.press("Enter")
    page.get_by_role("heading", level=1, name="Functions").wait_for()
    until_focused(page, "Functions")
    walk(page, "echo")
    page.keyboard.press("Enter")
    page.get_by_role("heading", level=1, name="echo").wait_for()
    until_focused(page, "echo")
    walk(page, "Invoke")
    page.keyboard.press("Enter")
    page.get_by_text("where the time went").wait_for()
    yield "from the first page to an answer by keyboard"
    walk(page, "where the time went")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Where the time went").wait_for()
    yield "and to where its time went"


def quiet(page: Any, known: dict[str, str]) -> Iterator[str]:
    """While nothing happens, one request a second at most, of each page; all of them are open at once."""
    asked: dict[str, list[str]] = {place: [] for place in known}
    for place, heading in known.items():
        other = page.context.new_page()
        other.goto(page.url.partition("#")[0] + place)
        other.get_by_role("heading", level=1, name=heading, exact=True).wait_for()
        other.on("request", lambda one, place=place: asked[place].append(one.url))
    page.wait_for_timeout(2000)
    for urls in asked.values():
        urls.clear()
    page.wait_for_timeout(10_000)
    assert max(map(len, asked.values())) <= 10, asked
    yield f"{max(map(len, asked.values()))} requests in 10 s at most, while nobody does anything"


def many(page: Any, whole: Whole) -> str:
    """A browser has six connections to a server. The last of many pages is as live as the first, and has its lines."""
    pages = [page.context.new_page() for _ in range(TABS)]
    for one in pages:
        one.goto(page.url.partition("#")[0] + "#/functions/echo")
        one.get_by_role("log", name="Logs").locator("div").first.wait_for()
    for text in ("here", "and there"):
        assert whole.call("echo", {"text": text}).status == 200
        for one in (pages[0], pages[-1]):
            one.get_by_role("log", name="Logs").get_by_text(f"said {text}").wait_for()
    assert pages[0].get_by_role("log", name="Logs").get_by_text("said here").count() == 1
    assert pages[-1].get_by_role("log", name="Logs").get_by_text("said here").count() == 1
    assert {one.locator(".where").inner_text() for one in (page, *pages)} == {"live"}
    return f"{TABS} pages in one browser, all of them live"


def focused(page: Any) -> str:
    return str(page.evaluate("document.activeElement.textContent"))


def until_focused(page: Any, text: str) -> None:
    page.wait_for_function("text => document.activeElement.textContent === text", arg=text)


def walk(page: Any, text: str) -> None:
    """On with Tab, as far as need be."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if focused(page) == text:
            return
    raise AssertionError(f"no way to {text!r} by keyboard")
