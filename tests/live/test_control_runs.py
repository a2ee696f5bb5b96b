"""The admin API on runs of the laboratory."""

import json
from pathlib import Path

from tests.live.test_control_http import Page, story


def test_runs_of_the_laboratory_are_shown_and_reports_sent_as_files_that_can_do_nothing(tmp_path: Path) -> None:
    run = {"name": "quiet", "kind": "live", "seed": 1, "started_at": 5.0, "wall_s": 1.0, "totals": {"p50_ms": 2.5}}
    (tmp_path / "runs" / "lab" / "one").mkdir(parents=True)
    (tmp_path / "runs" / "lab" / "one" / "run.json").write_text(json.dumps(run))
    (tmp_path / "runs" / "lab" / "one.html").write_text("<script>alert(1)</script>")
    (tmp_path / "secret.html").write_text("secret")

    async def play(page: Page) -> None:
        told = (await page.ask("GET", "/api/runs")).json
        assert [(one["id"], one["totals"]) for one in told["runs"]] == [("lab/one", {"p50_ms": 2.5})]
        assert (await page.ask("GET", "/api/runs/lab/one")).json["run"] == told["runs"][0]
        report = await page.ask("GET", f"/api/reports/{told['reports'][0]['id']}")
        assert (report.status, report.body) == (200, b"<script>alert(1)</script>")
        assert report.headers["content-disposition"] == "attachment"
        assert report.headers["content-security-policy"].startswith("sandbox")
        for path in ("/api/runs/lab/two", "/api/runs/lab", "/api/reports/lab/../../secret.html", "/api/reports/x"):
            assert (await page.ask("GET", path)).status == 404, path

    story(tmp_path, play)
