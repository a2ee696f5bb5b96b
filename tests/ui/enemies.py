"""A function's page, which has the same origin, tries to ask in the name of who looks at it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.live.whole import running
from tests.ui.browser import go, opened

EVIL = """
async def evil(scope, receive, send):
    if scope["path"].endswith("worker.js"):
        kind, body = b"text/javascript", b"self.addEventListener('fetch', () => {});"
    else:
        kind, body = b"text/html", b"<!doctype html><title>evil</title><h1>evil</h1>"
    more = [(b"cross-origin-opener-policy", b"same-origin"), (b"service-worker-allowed", b"/")]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind), *more]})
    await send({"type": "http.response.body", "body": body})
"""
ASK = """async () => {
  const tried = {};
  const ask = async (name, url, options) => {
    const got = await fetch(url, options);
    tried[name] = [got.status, await got.text()];
  };
  const made = {method: "POST", body: "{}", headers: {"content-type": "application/json", "x-attacca-page": ""}};
  await ask("api", "/api/tokens", made);
  await ask("ui", "/ui/api/tokens", made);
  await ask("first", "/ui/", {referrer: "/ui/"});
  await ask("function", "/ui/function/evil", {});
  return tried;
}"""
WORKER = """async () => {
  try { await navigator.serviceWorker.register("/function/evil/worker.js", {scope: "/"}); return "registered"; }
  catch (error) { return error.name; }
}"""
FRAME = """async () => new Promise(resolve => {
  const frame = document.createElement("iframe");
  frame.src = "/ui/";
  frame.onload = () => {
    try { resolve(frame.contentDocument?.querySelector("meta[name=attacca-key]")?.content ?? "nothing"); }
    catch (error) { resolve(error.name); }
  };
  document.body.append(frame);
})"""


def try_all(chromium: Any, place: Path) -> Iterator[str]:
    with running(place / "state") as whole:
        whole.function("evil", EVIL)
        url = f"http://127.0.0.1:{whole.port}"
        context = chromium.new_context()
        page = context.new_page()
        page.goto(url + "/ui")
        page.get_by_role("heading", level=1, name="Overview").wait_for()
        page.goto(url + "/function/evil")
        tried = page.evaluate(ASK)
        assert [tried[name][0] for name in ("api", "ui", "function")] == [403, 403, 403], tried
        assert 'attacca-key" content=""' in tried["first"][1]
        yield "it is refused, and the page that it fetches has no key"
        assert page.evaluate(WORKER) == "SecurityError"
        yield "its service worker gets no further than its own address"
        assert page.evaluate(FRAME) in ("nothing", "SecurityError")
        yield "the dashboard is in no frame"
        with context.expect_page() as popup:
            page.evaluate("() => { window.opened = window.open('/ui/'); }")
        other = popup.value
        other.wait_for_load_state()
        assert other.locator("meta[name=attacca-key]").get_attribute("content") == ""
        assert "Open this page yourself" in other.inner_text("body")
        yield "what it opens has no key, and says what to do"
        context.close()
        with opened(chromium, url + "/ui") as page:
            go(page, "#/functions/evil", "evil")
            page.get_by_role("button", name="Invoke").click()
            page.get_by_text("<!doctype html><title>evil</title>").wait_for()
        yield "its answer is text"
