"""Every form and button, and that what they do is done."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.live.whole import Whole, until
from tests.ui.browser import confirm, go, opened, said
from tests.ui.world import world


def fill(chromium: Any, place: Path) -> Iterator[str]:
    with world(place) as whole:
        url = f"http://127.0.0.1:{whole.port}/ui"
        with opened(chromium, url, may_fail=(404,)) as page:  # what is gone may be asked for once more
            yield functions(page)
            yield invoke(page)
            yield settings(page, whole)
            yield calls(page, whole)
            yield tokens(page, whole)
            yield cluster(page, whole)
            yield workflows(page, whole)
        with opened(chromium, url) as page:
            yield colours(page)


def functions(page: Any) -> str:
    go(page, "#/functions", "Functions")
    page.get_by_label("Find a function").fill("fai")
    page.get_by_text("1 of 2").wait_for()
    page.get_by_label("Find a function").fill("")
    page.get_by_role("button", name="Function").click()
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("Function")
    page.get_by_role("button", name="Function").click()
    assert page.locator("tbody tr td:first-child").first.inner_text() == "fails"
    return "functions are found and sorted"


def invoke(page: Any) -> str:
    go(page, "#/functions/echo", "echo")
    page.get_by_label("Body").fill('{"text": "by hand"}')
    page.get_by_label("Body").press("Control+Enter")
    page.get_by_text('"said": "by hand"').wait_for()
    assert "<script>alert(2)</script>\\x1b[31m" in page.get_by_role("log", name="Logs").inner_text()
    page.get_by_label("Only lines with").fill("nowhere to be seen")
    assert page.locator(".log div:visible").count() == 0
    page.get_by_label("Only lines with").fill("")
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Go on").click()
    page.reload()
    page.get_by_role("heading", level=1, name="echo").wait_for()
    assert page.get_by_label("Body").input_value() == '{"text": "by hand"}'
    return "a function is called from a form that remembers, and its lines are shown"


def settings(page: Any, whole: Whole) -> str:
    page.get_by_label("Sandboxes at least").fill("1")
    page.get_by_label("and at most").fill("3")
    page.get_by_role("button", name="Apply").click()
    said(page, "The scale is in force.")
    now = whole.get("/api/functions/echo")["settings"]
    assert (now["min_sandboxes"], now["max_sandboxes"]) == (1, 3)
    page.get_by_role("button", name="Roll back to revision 1").click()
    confirm(page, "Roll back")
    said(page, "Revision 1 is in force.")
    assert whole.get("/api/functions/echo")["revision"] == 1
    page.get_by_role("button", name="Prewarm one").click()
    said(page, "A sandbox is being made")
    page.get_by_role("button", name="Evict idle").click()
    said(page, "Its idle sandboxes go.")
    return "it is scaled, rolled back, prewarmed and evicted"


def calls(page: Any, whole: Whole) -> str:
    go(page, "#/calls", "Invocations")
    page.get_by_label("Which").select_option("failed")
    page.locator(".tag.bad").first.wait_for()
    page.get_by_label("Function").select_option("echo")
    page.get_by_text("None of the latest is such a one.").wait_for()
    go(page, "#/async", "Asynchronous calls")
    page.get_by_label("State").select_option("dead")
    page.get_by_text("the latest 1", exact=True).wait_for()
    page.locator("td").get_by_role("button", name="Retry").first.click()
    said(page, "It is tried anew.")
    until(lambda: whole.get("/api/async?state=dead"), "it is dead again")
    page.get_by_role("button", name="Retry all dead").click()
    confirm(page, "Retry")
    said(page, "One is tried anew.")
    until(lambda: whole.get("/api/async?state=dead"), "it is dead once more")
    page.locator("td").get_by_role("button", name="Forget").first.click()
    confirm(page, "Forget")
    said(page, "It is forgotten.")
    assert whole.get("/api/async?state=dead") == []
    return "calls are sifted, tried anew and forgotten"


def tokens(page: Any, whole: Whole) -> str:
    go(page, "#/tokens", "Tokens")
    page.get_by_label("Name").fill("laptop")
    page.get_by_role("button", name="Create").click()
    secret = page.locator(".notice code").inner_text()
    assert whole.ask("GET", "/api/info", headers={"authorization": f"Bearer {secret}"}).status == 200
    page.get_by_role("button", name="Revoke laptop").click()
    confirm(page, "Revoke")
    said(page, "It is revoked.")
    assert whole.get("/api/tokens") == []
    return "a token is made and revoked"


def cluster(page: Any, whole: Whole) -> str:
    go(page, "#/cluster", "Cluster")
    page.get_by_role("button", name="Cordon").click()
    said(page, "worker is given nothing new.")
    page.get_by_role("button", name="Take back").click()
    said(page, "worker takes part again.")
    page.get_by_role("button", name="Drain").click()
    confirm(page, "Drain")
    said(page, "there is no other node")
    assert whole.worker()["draining"]
    page.get_by_role("button", name="Take back").click()
    until(lambda: not whole.worker()["draining"])
    return "a worker is cordoned, drained and taken back"


def workflows(page: Any, whole: Whole) -> str:
    go(page, "#/workflows", "Workflows")
    page.get_by_role("link", name="counting").click()
    page.get_by_text("/s · worker").first.wait_for()
    assert page.locator(".graph .box.up").count() == 2
    page.get_by_text("tick <i>tock</i>").first.wait_for()
    page.get_by_role("button", name="Stop").click()
    confirm(page, "Stop")
    said(page, "It is stopped.")
    assert whole.get("/api/workflows") == []
    go(page, "#/functions/fails", "fails")
    page.get_by_role("button", name="Delete").click()
    confirm(page, "Delete")
    said(page, "fails is deleted.")
    return "a workflow lives and is stopped, and a function deleted"


def colours(page: Any) -> str:
    page.get_by_label("Colours").select_option("dark")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.reload()
    page.get_by_role("heading", level=1, name="Overview").wait_for()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.get_by_label("Colours").select_option("light")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(246, 247, 249)"
    return "colours are chosen and kept"
