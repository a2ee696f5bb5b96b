"""Planes in processes of their own: what is deployed at control is answered by gateways and run by workers."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.live.apart import Cluster, cluster
from tests.live.whole import ENVIRON, until, until_nothing_is_left

WHERE = """
    import os

    def where(n=0):
        print("asked", n)
        return [n, os.environ.get("WHO", "")]
"""


@pytest.fixture(scope="module", params=["plain", "certs"])
def planes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    at = tmp_path_factory.mktemp("planes")
    with cluster(at, workers=2, gateways=2, with_certs=request.param == "certs") as made:
        yield made


def attacca(planes: Cluster, *words: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "attacca.cli.app", *words],
        env={**ENVIRON, "ATTACCA_URL": planes.control.info["url"]}, input=stdin, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def test_a_function_is_deployed_at_control_and_called_at_every_gateway(planes: Cluster) -> None:
    planes.control.function("where", WHERE)
    for number, gateway in enumerate(planes.gateways.values()):
        assert gateway.call("where", {"n": number}).value == [number, ""]
    until(lambda: "asked 1" in planes.control.logs("where"), "what it wrote is in the log of control")
    seen = {call["id"] for call in planes.control.get("/api/calls?function=where")}
    assert len(seen) == 2
    for gateway in planes.gateways.values():
        told = gateway.call("where").headers["x-attacca-invocation-id"]
        story = planes.control.get(f"/api/explain/{told}")
        assert {moment["where"] for moment in story["moments"]} > {"gateway"}


def test_who_calls_control_is_sent_to_a_gateway(planes: Cluster) -> None:
    planes.control.function("where", WHERE)
    answer = planes.control.call("where")
    assert answer.status == 307
    assert answer.headers["location"] in {f"{one.info['url']}/function/where" for one in planes.gateways.values()}
    assert planes.control.ask("GET", "/healthz").status == 200
    answer = planes.gateways["g1"].ask("GET", "/api/functions")
    assert (answer.status, answer.headers["location"]) == (307, f"{planes.control.info['url']}/api/functions")


def test_a_secret_reaches_the_worker_that_needs_it_and_so_does_its_change(planes: Cluster) -> None:
    gateway = planes.gateways["g1"]
    for value in ("one", "two"):
        assert attacca(planes, "secret", "set", "WHO", stdin=value).returncode == 0
        planes.control.function("where", WHERE, secrets={"WHO": "env"})
        assert gateway.call("where", {"n": 5}).value == [5, value]


def test_verbs_ask_control(planes: Cluster) -> None:
    planes.control.function("where", WHERE)
    told = attacca(planes, "invoke", "where", "-a", "n=7")
    assert (told.returncode, json.loads(told.stdout)) == (0, [7, ""]), told.stderr
    for words in (
        ["list"],
        ["describe", "where"],
        ["calls"],
        ["logs", "where"],
        ["top", "--once"],
        ["prewarm", "where"],
    ):
        told = attacca(planes, *words)
        assert told.returncode == 0, told.stderr


def test_a_second_process_of_a_name_is_refused_as_long_as_the_first_is_there(planes: Cluster, tmp_path: Path) -> None:
    words = [
        "--control",
        planes.control.info["join"],
        "--state-dir",
        str(tmp_path / "w"),
        "--name",
        "w1",
        *planes.certs("worker", "w1"),
    ]
    second = subprocess.Popen(
        [sys.executable, "-m", "attacca.cli.app", "worker", *words, "--memory-limits", "watch", "--json"],
        env={**ENVIRON, "ATTACCA_JOIN_TOKEN": planes.token}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert second.stderr is not None
    assert "there is a worker named 'w1' already" in second.stderr.readline()
    second.terminate()
    second.communicate()
    assert {one["name"] for one in planes.control.get("/api/workers")} == {"w1", "w2"}


def test_who_shows_another_token_is_refused(planes: Cluster, tmp_path: Path) -> None:
    words = [
        "--control",
        planes.control.info["join"],
        "--state-dir",
        str(tmp_path / "w"),
        "--name",
        "w9",
        *planes.certs("worker", "w9"),
    ]
    forged = subprocess.Popen(
        [sys.executable, "-m", "attacca.cli.app", "worker", *words, "--memory-limits", "watch", "--json"],
        env={**ENVIRON, "ATTACCA_JOIN_TOKEN": "attacca_join_guess"}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert forged.stderr is not None
    assert "has another key" in forged.stderr.readline()
    forged.terminate()
    forged.communicate()
    assert "has another key" in planes.control.said


def test_a_worker_that_is_killed_leaves_nothing_and_another_goes_on(planes: Cluster) -> None:
    planes.control.function("where", WHERE)
    gateway = planes.gateways["g1"]
    lost = planes.workers.pop("w1")
    lost.family()
    lost.kill()
    assert [gateway.call("where", {"n": n}).value for n in range(20)] == [[n, ""] for n in range(20)]
    until_nothing_is_left(lost)
    planes.worker("w1")
    planes.until_joined()


def test_control_that_is_started_anew_finds_all_of_them_again(planes: Cluster) -> None:
    planes.control.function("where", WHERE)
    gateway = planes.gateways["g2"]
    words = ("--listen", planes.control.info["join"], "--port", "0", "--state-dir", str(planes.at / "control"))
    certs = planes.certs("control", "control")
    planes.control.kill()
    assert gateway.call("where", {"n": 3}).value == [3, ""]
    planes.control = planes.start("control", *words, *certs)
    planes.until_joined()
    planes.control.function("after", "def after():\n    return 1")
    assert gateway.call("after").value == 1


def test_calls_are_answered_while_revisions_come_and_go(planes: Cluster) -> None:
    """Who calls meanwhile gets one revision or the other; who calls when it is acknowledged gets the new one."""
    source = "def flux():\n    return {0}"
    planes.control.function("flux", source.format(0))
    gateways = list(planes.gateways.values())
    with ThreadPoolExecutor(4) as pool:
        for number in range(1, 6):
            calling = [pool.submit(gateways[n % 2].call, "flux") for n in range(12)]
            planes.control.function("flux", source.format(number))
            seen = {(answer.status, answer.value) for answer in (one.result() for one in calling)}
            assert seen <= {(200, number - 1), (200, number)}
            assert [gateway.call("flux").value for gateway in gateways] == [number, number]


@pytest.mark.parametrize("planes", ["certs"], indirect=True)
def test_who_has_no_certificate_or_that_of_another_is_refused_and_told_of(planes: Cluster, tmp_path: Path) -> None:
    join = planes.control.info["join"]
    other, gateway = planes.certs("worker", "w7"), planes.certs("gateway", "w8")
    for certs, why in (
        ((), "has shown no certificate that is good here"),
        (other, "says that it is worker 'w8', and shows the certificate of"),
        (gateway, "shows the certificate of attacca://gateway/w8"),
    ):
        words = ["--control", join, "--state-dir", str(tmp_path / "w"), "--name", "w8", *certs]
        forged = subprocess.Popen(
            [sys.executable, "-m", "attacca.cli.app", "worker", *words, "--memory-limits", "watch", "--json"],
            env={**ENVIRON, "ATTACCA_JOIN_TOKEN": planes.token}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        until(lambda why=why: why in planes.control.said, why)  # type: ignore[misc]
        forged.terminate()
        forged.communicate()
    assert {one["name"] for one in planes.control.get("/api/workers")} == {"w1", "w2"}
