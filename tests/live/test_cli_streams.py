"""Commands whose output is full, closed, read by nobody, or cannot show every sign."""

import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

ATTACCA = [sys.executable, "-m", "attacca.cli.app"]


def shell(script: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """`$@` in it is our command."""
    return subprocess.run(
        ["bash", "-c", script, "bash", *ATTACCA],
        env={**os.environ, "LC_ALL": "C.UTF-8", "ATTACCA_URL": "http://127.0.0.1:1", **(environment or {})},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=30,
        check=False,
    )


@pytest.mark.parametrize("words", ["--help", "config", "config --json", "up --help"])
def test_a_full_disk_is_told_in_a_line(words: str) -> None:
    done = shell(f'"$@" {words} > /dev/full')
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_name_that_the_system_refuses_is_told_in_a_line() -> None:
    done = shell('"$@" init /proc/x')
    assert (done.returncode, done.stderr.splitlines()[0]) == (1, "Error: /proc/x: No such file or directory")


@pytest.mark.parametrize("words", ["config", "config --json", "--help"])
def test_who_reads_no_further_hears_no_more(words: str) -> None:
    done = shell(f'"$@" {words} | true; exit ${{PIPESTATUS[0]}}')
    assert done.stderr == ""
    assert done.returncode in (0, 1)


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_a_closed_stream_stops_nobody(closed: str) -> None:
    done = shell(f'"$@" config --json {closed}')
    assert (done.returncode, done.stderr) == (0, "")


def test_signs_that_cannot_be_shown_become_others_and_json_stays_itself() -> None:
    ascii_only = {"PYTHONIOENCODING": "ascii", "ATTACCA_CONTROL__STATE_DIR": "/tmp/ü"}
    shown = shell('"$@" config', ascii_only)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "/tmp/?" in shown.stdout
    told = shell('"$@" config --json', ascii_only)
    assert "/tmp/\\u00fc" in told.stdout


def test_what_was_typed_in_another_encoding_is_told_in_a_line() -> None:
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = shell('"$@" invoke hello -a name=ü', plain)
    assert (done.returncode, "LC_ALL=C.UTF-8" in done.stderr) == (1, True)
    assert "Traceback" not in done.stderr
