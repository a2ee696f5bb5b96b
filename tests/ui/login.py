"""On an address that others can reach: a token, a session, and its end."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.live.whole import ENVIRON, running
from tests.ui.browser import opened


def come_in(chromium: Any, place: Path) -> Iterator[str]:
    state = place / "state"
    make = [
        sys.executable,
        "-m",
        "attacca.cli.app",
        "token",
        "create",
        "--name",
        "ui",
        "--state-dir",
        str(state),
        "--json",
    ]
    token = json.loads(subprocess.run(make, env=ENVIRON, check=True, capture_output=True, timeout=60).stdout)["token"]
    with running(state, "--host", "0.0.0.0") as whole:
        whole.token = token
        whole.function("echo", "def echo(text='nothing'):\n    return text\n")
        url = f"http://127.0.0.1:{whole.port}/ui"
        with opened(chromium, url, may_fail=(401,)) as page:
            page.get_by_label("Token").fill("attacca_guess")
            page.get_by_role("button", name="Log in").click()
            page.get_by_text("this token is not known").wait_for()
            page.get_by_label("Token").fill(token)
            page.keyboard.press("Enter")
            page.get_by_role("heading", level=1, name="Overview").wait_for()
            [cookie] = page.context.cookies()
            assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/ui")
            assert page.evaluate("document.cookie") == ""
            yield "a wrong token is refused, a right one begins a session that no script sees"
            page.reload()
            page.get_by_role("heading", level=1, name="Overview").wait_for()
            page.evaluate("location.hash = '#/functions/echo'")
            page.get_by_label("Body").fill('{"text": "with a session"}')
            page.get_by_role("button", name="Invoke").click()
            page.locator("pre.answer", has_text="with a session").wait_for()
            yield "it lasts, and calls functions"
            page.get_by_role("button", name="Log out").click()
            page.get_by_label("Token").wait_for()
            assert page.context.cookies() == []
            yield "and is ended"
            page.get_by_label("Token").fill(token)
            page.keyboard.press("Enter")
            page.get_by_role("heading", level=1, name="echo").wait_for()
            whole.ask("DELETE", f"/api/tokens/{whole.get('/api/tokens')[0]['id']}")
            page.reload()
            page.get_by_label("Token").wait_for()
            yield "its token's end is its own"
