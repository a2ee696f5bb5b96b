"""Several domains on real planes, joined by certificates: workflows are where they fit, and go on elsewhere when that
dies."""

import contextlib
import json
import shutil
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from attacca.io.certificates import AUTHORITY, OWN, OWN_KEY, make_authority, make_plane
from attacca.io.wire.types import Hello
from tests.live.apart import Plane
from tests.live.edgeless_node import StandIn
from tests.live.impostor import Impostor
from tests.live.relay import Relay
from tests.live.stores import free_port
from tests.live.test_workflow_wasm import said, sent
from tests.live.test_workflows import COUNTER, STEADY, uploaded
from tests.live.whole import Answer, until
from tests.relay import assembled

SILENT = ("--set", "federation.silent_s=2")
SMALL = ("--memory", "1024", "--memory-limits", "watch", "--port", "0")
DAY_S = 86_400
JSON = {"content-type": "application/json"}


class Federation:
    """Its controller, and domains that are each an `attacca up`. What is started with it is stopped with it."""

    def __init__(self, at: Path) -> None:
        self.at = at
        self.domains: dict[str, Plane] = {}
        self.nodes = f"127.0.0.1:{free_port()}"  # where those of EDGELESS join the first
        self.portal = f"127.0.0.1:{free_port()}"  # of the second, to which a cable leads
        self.cable = Relay(self.portal)
        make_authority(at / "f" / "certs", time.time())
        self.control = self._controller("127.0.0.1:0")
        self.link = self.control.info["join"]

    def _controller(self, listen: str) -> Plane:
        plane = Plane(
            "federation", self.at / "logs", "--listen", listen, "--port", "0", "--state-dir", str(self.at / "f"),
            *SILENT, *self.certs("control", "control"),
        )  # fmt: skip
        plane.until_ready()
        return plane

    def certs(self, plane: str, name: str) -> tuple[str, ...]:
        made = make_plane(self.at / "f" / "certs", plane, name, self.at / f"certs-{name}", time.time())
        return ("--certs", str(made)) if plane == "control" else ("--set", f"federation.certs={made}")

    def restart(self) -> None:
        self.control.kill()
        self.control = self._controller(self.link)

    def begin(self, name: str, *more: str) -> None:
        token = (self.at / "f" / "join_token").read_text().strip()
        here = ("--state-dir", str(self.at / name), "--domain", name, "--federation", self.link)
        labels = ("--set", f'worker.labels=["at={name}"]')
        self.domains[name] = Plane(
            "up", self.at / "logs", *here, *SMALL, *labels, *more, *self.certs("domain", name), token=token
        )

    def until_here(self, *names: str) -> None:
        for name in names:
            self.domains[name].until_ready()
        until(lambda: self.here() >= set(names), "they have joined, and have a node")

    def here(self) -> set[str]:
        views = self.control.get("/api/domains")
        return {one["name"] for one in views if one["is_here"] and one["summary"]["nodes"]}

    def start(self, name: str, **requires: Any) -> Answer:
        parts = [
            {"name": "sender", "artefact": uploaded(self.control, STEADY), "outputs": {"to": {"to": ["counter"]}}},
            {
                "name": "counter",
                "artefact": uploaded(self.control, COUNTER),
                "payload": "100",
                "outputs": {"out": {"to": ["log"]}},
                "requires": requires,
            },
            {"name": "log", "resource": "file-log", "configuration": {"filename": f"{name}.log"}},
        ]
        body = json.dumps({"name": name, "components": parts}).encode()
        return self.control.ask("POST", "/api/workflows", body, JSON)

    def move(self, name: str, to: str, component: str = "") -> Answer:
        asked = json.dumps({"component": component, "to": [to]}).encode()
        return self.control.ask("POST", f"/api/workflows/{name}/migrate", asked, JSON)

    def lines(self, domain: str, name: str) -> list[list[int]]:
        file = self.at / domain / "resources" / f"{name}.log"
        return [list(map(int, line.split())) for line in file.read_text().splitlines()] if file.exists() else []

    def view(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.control.get(f"/api/workflows/{name}")
        return found

    def stop(self) -> None:
        for plane in (*self.domains.values(), self.control):
            plane.stop()


@pytest.fixture(scope="module")
def federation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Federation]:
    made = Federation(tmp_path_factory.mktemp("federation"))
    try:
        made.begin("a", "--set", f"workflows.edgeless_nodes_url=http://{made.nodes}")
        made.begin(
            "b", "--set", f"federation.portal={made.portal}", "--set", f"federation.advertise={made.cable.address}"
        )
        made.until_here("a", "b")
        yield made
    finally:
        made.stop()
        made.cable.close()


def places(view: dict[str, Any]) -> dict[str, str]:
    return {row["component"]: row["domain"] for row in view["instances"]}


def test_a_component_moves_to_another_domain_and_back(federation: Federation) -> None:
    answer = federation.start("chain")
    assert answer.status == 201, answer
    home = answer.value["domain"]
    other = "b" if home == "a" else "a"
    until(lambda: len(federation.lines(home, "chain")) > 20, "events pass")
    moved = federation.move("chain", other, "counter")
    assert moved.status == 200, moved
    assert places(moved.value) == {"sender": home, "counter": other, "log": home}
    had = len(federation.lines(home, "chain"))
    until(lambda: len(federation.lines(home, "chain")) > had + 20, "they pass through portals")
    here = {
        row["component"]: row["domain"] for row in federation.domains[home].get("/api/workflows/chain")["instances"]
    }
    assert here == {"sender": "", "counter": other, "log": ""}, "a domain knows where the rest is"
    back = federation.move("chain", home, "counter")
    assert (back.status, set(places(back.value).values())) == (200, {home}), back
    until(lambda: len(federation.lines(home, "chain")) == 150, "all have come")
    assert federation.lines(home, "chain") == [[one, 100 + one] for one in range(1, 151)], "each once, in order"
    refused = federation.move("chain", "c", "counter")
    assert refused.error["code"] == "not_found"
    assert federation.control.ask("DELETE", "/api/workflows/chain").status == 204


def test_a_stranger_is_refused_at_a_portal(federation: Federation, tmp_path: Path) -> None:
    """It trusts the domain, but shows what another authority has signed; or speaks without TLS."""
    portals = {one["name"]: one["summary"]["portal"] for one in federation.control.get("/api/domains")}
    host, _, port = portals["a"].rpartition(":")
    make_authority(tmp_path / "forged", time.time())
    forged = make_plane(tmp_path / "forged", "domain", "b", tmp_path / "b", time.time())
    context = ssl.create_default_context(cafile=str(federation.at / "f" / "certs" / AUTHORITY))
    context.check_hostname = False
    context.load_cert_chain(forged / OWN, forged / OWN_KEY)
    domain, refusal = federation.domains["a"], "127.0.0.1 has shown no certificate that is good here"
    with context.wrap_socket(socket.create_connection((host, int(port)), 10)) as stranger, contextlib.suppress(OSError):
        assert stranger.recv(1) == b""
    until(lambda: domain.said.count(refusal) == 1, "it is in the log")
    with socket.create_connection((host, int(port)), 10) as plain:
        plain.sendall(b"\x00\x00\x00\x02hi")
    until(lambda: domain.said.count(refusal) == 2, "so is the other")
    until(lambda: federation.here() == {"a", "b"}, "nobody else minds")


def impostors(federation: Federation, at: Path) -> Iterator[tuple[str, Hello, Path]]:
    """What they are told, who they say they are, and what they show, in place of b."""
    now, own = time.time(), federation.at / "f" / "certs"
    key = (federation.at / "f" / "join_token").read_text().strip().encode()
    make_authority(at / "forged", now)
    shutil.copytree(own, at / "own")
    forged = make_plane(at / "forged", "domain", "b", at / "other-authority", now)
    shutil.copy(own / AUTHORITY, forged / AUTHORITY)  # so that it believes who dials
    no_good = "has shown no certificate that is good here"
    ours, other = Hello("domain", "b", key), make_plane(at / "own", "domain", "c", at / "other-name", now)
    yield f"{no_good}: [SSL: CERTIFICATE_VERIFY_FAILED]", ours, forged
    yield "certificate has expired", ours, make_plane(at / "own", "domain", "b", at / "late", now - 3 * DAY_S, days=1)
    yield "says that it is domain 'b', and shows the certificate of attacca://domain/c", ours, other
    yield "'b' was dialed, and this is domain 'c'", Hello("domain", "c", key), other


def test_a_portal_sends_nothing_to_who_is_not_the_one_it_has_dialed(federation: Federation, tmp_path: Path) -> None:
    """It tries again for as long as that is so, and then goes on where it was."""
    home = federation.start("shown").value["domain"]
    assert federation.move("shown", "b" if home == "a" else "a", "counter").status == 200
    dials, cable = federation.domains["a"], federation.cable
    with contextlib.ExitStack() as those:
        for refusal, hello, certs in impostors(federation, tmp_path):
            impostor = those.enter_context(contextlib.closing(Impostor(hello, certs)))
            cable.to = impostor.address
            cable.cut()
            cable.mend()
            until(lambda refusal=refusal: refusal in dials.said, refusal)  # type: ignore[misc]  # of a default
            assert impostor.heard == []
        cable.to = federation.portal
    until(lambda: federation.lines(home, "shown")[-1:] == [[150, 250]], "all have come")
    assert federation.lines(home, "shown") == [[one, 100 + one] for one in range(1, 151)], "each once, in order"
    assert federation.control.ask("DELETE", "/api/workflows/shown").status == 204


def test_workflows_are_where_they_fit(federation: Federation) -> None:
    parked = federation.start("parked", labels=["at=c"])
    assert (parked.status, parked.value["stage"], parked.value["domain"]) == (201, "parked", ""), parked
    assert "b: counter: no node has the label 'at=c'" in parked.value["why"]
    assert federation.control.ask("DELETE", "/api/workflows/parked").status == 204
    refused = federation.control.ask("GET", "/api/functions")
    assert (refused.status, federation.control.ask("GET", "/api/schema").status) == (404, 200), refused
    assert federation.start("fitting", labels=["at=b"]).value["domain"] == "b"
    assert federation.move("fitting", "a").error["code"] == "no_capacity"
    assert federation.control.ask("DELETE", "/api/workflows/fitting").status == 204


ASKS = """
def init(ctx, payload, state):
    ctx.delayed_cast(0.02, "self", "asked")

def cast(ctx, source, message):
    print(ctx.call("to", "asked").text)
    ctx.cast("to", "told")
    ctx.delayed_cast(0.02, "self", "again")
"""
HEARS = """
def cast(ctx, source, message):
    print(message.text)
"""


def test_a_node_of_edgeless_speaks_with_who_is_in_another_domain(federation: Federation) -> None:
    node, control = StandIn(federation.nodes, labels=("far",)), federation.control
    try:
        node.register()
        until(lambda: "far" in str(control.get("/api/domains")), "the federation has heard of it")
        module = sent(control, assembled()).value
        far = {
            "name": "far",
            "artefact": module,
            "outputs": {"out": {"to": ["hears"]}},
            "requires": {"labels": ["far"]},
        }
        parts = [
            {"name": "asks", "artefact": uploaded(control, ASKS), "outputs": {"to": {"to": ["far"]}}},
            {"name": "hears", "artefact": uploaded(control, HEARS)},
            far,
        ]
        body = json.dumps({"name": "farther", "components": parts}).encode()
        answer = control.ask("POST", "/api/workflows", body, JSON)
        assert (answer.status, answer.value["domain"]) == (201, "a"), answer
        for component in ("asks", "hears"):
            moved = federation.move("farther", "b", component)
            assert moved.status == 200, moved
        assert places(moved.value) == {"asks": "b", "hears": "b", "far": "a"}
        until(lambda: said(federation.domains["b"], "farther", "asks")[-1:] == ["ASKED"], "its replies come")
        until(lambda: said(federation.domains["b"], "farther", "hears")[-1:] == ["told>"], "and what it sends")
        (row,) = [row for row in control.get("/api/workflows/farther")["instances"] if row["component"] == "far"]
        assert (row["worker"], row["starts"]) == (f"edgeless:{node.id}", 1)
        assert control.ask("DELETE", "/api/workflows/farther").status == 204
        assert node.instances == {}
    finally:
        node.kill()


def test_they_go_on_elsewhere_when_their_domain_dies(federation: Federation) -> None:
    answer = federation.start("counting")
    assert (answer.status, answer.value["stage"]) == (201, "up"), answer
    first = answer.value["domain"]
    second = "b" if first == "a" else "a"
    until(lambda: len(federation.lines(first, "counting")) > 10, "events pass")
    moved = federation.move("counting", second)
    assert moved.status == 200, moved
    until(lambda: len(federation.lines(second, "counting")) > 10, "they pass there")
    counts = [line[1] for name in (first, second) for line in federation.lines(name, "counting")]
    assert counts == list(range(101, 101 + len(counts))), "none is lost, none is doubled, and it counts on"
    assert federation.start("apart").status == 201
    for component in ("sender", "log"):
        federation.move("apart", first, component)
    federation.move("apart", second, "counter")
    assert places(federation.view("apart")) == {"sender": first, "counter": second, "log": first}

    before = [row["instance"] for row in federation.view("counting")["instances"]]
    federation.restart()
    until(lambda: federation.view("counting")["stage"] == "up", "it is known again")
    until(lambda: federation.view("counting")["instances"], "its domain has told of it")
    assert [row["instance"] for row in federation.view("counting")["instances"]] == before, "nothing is made anew"

    had = len(federation.lines(first, "counting"))
    federation.domains[second].kill()
    until(lambda: federation.view("counting")["domain"] == first, "it goes on elsewhere")
    until(lambda: len(federation.lines(first, "counting")) > had, "with its state")
    last, there = federation.lines(second, "counting")[-1][1], federation.lines(first, "counting")[had][1]
    assert last - 5 <= there <= last + 5, "what had been synced last"
    assert f"the domain {second} is gone" in federation.view("counting")["why"]
    until(lambda: set(places(federation.view("apart")).values()) == {first}, "a component comes back")
    until(lambda: federation.lines(first, "apart")[-1:] and federation.lines(first, "apart")[-1][0] == 150, "all come")
    numbers = [line[0] for line in federation.lines(first, "apart")]
    assert sorted(set(numbers)) == list(range(1, 151)), "what its sender kept is not lost"
    for name in ("counting", "apart"):
        assert federation.control.ask("DELETE", f"/api/workflows/{name}").status == 204
    assert federation.control.get("/api/workflows") == federation.domains[first].get("/api/workflows") == []
