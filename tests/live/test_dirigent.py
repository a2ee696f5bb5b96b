"""A loader for Dirigent registers functions and calls them as it would there: forms, then HTTP/2 by `:authority`."""

import http.client
import json
import socket
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import h2.config
import h2.connection
import h2.events
import pytest

from attacca.client.http import Client
from attacca.lab.dirigent.registrar import Registrar, Server
from attacca.model.function import Scheduling
from tests.live.whole import Whole, running

UP = ("--set", "gateway.http2=true", "--set", 'gateway.dialects=["dirigent"]')


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Whole]:
    with running(tmp_path_factory.mktemp("state"), *UP) as whole:
        yield whole


@pytest.fixture(params=list(Scheduling))
def registrar(whole: Whole, request: pytest.FixtureRequest) -> Iterator[Registrar]:
    with Client(f"http://127.0.0.1:{whole.port}") as client:
        platform = Server(client, {}, [f"127.0.0.1:{whole.port}"])
        registrar = Registrar("127.0.0.1", 0, platform, request.param)
        serving = threading.Thread(target=registrar.serve_forever)
        serving.start()
        yield registrar
        registrar.shutdown()
        serving.join()
        registrar.server_close()


def say(registrar: Registrar, method: str, path: str, **fields: object) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", registrar.server_address[1])
    kind = {"content-type": "application/x-www-form-urlencoded"} if fields else {}
    connection.request(method, path, urllib.parse.urlencode(fields, doseq=True) or None, kind)
    answer = connection.getresponse()
    said = answer.status, answer.read().decode()
    connection.close()
    return said


def called(place: str, function: str, requested_ms: int) -> tuple[int, bytes]:
    """Over HTTP/2 without TLS, from its first byte."""
    host, port = place.split(":")
    speaks = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
    speaks.initiate_connection()
    head = [(":method", "POST"), (":scheme", "http"), (":authority", function), (":path", "/")]
    asked = [
        ("workload", "trace"),
        ("function", function),
        ("requested_cpu", str(requested_ms)),
        ("io_percentage", "50"),
    ]
    speaks.send_headers(1, [*head, *asked], end_stream=True)
    status, body = 0, b""
    with socket.create_connection((host, int(port))) as sock:
        while True:
            sock.sendall(speaks.data_to_send())
            for event in speaks.receive_data(sock.recv(65_536)):
                match event:
                    case h2.events.ResponseReceived(headers=headers):
                        status = int({str(name): str(value) for name, value in headers}[":status"])
                    case h2.events.DataReceived(data=data):
                        body += data
                    case h2.events.StreamEnded():
                        return status, body
                    case _:
                        pass


def test_functions_are_registered_and_called(registrar: Registrar) -> None:
    name = f"of-{registrar.scheduling.value}"
    bounds = {"scaling_lower_bound": 0, "scaling_upper_bound": 2147483647}
    form = {"name": name, "image": "i", "port_forwarding": ["80", "tcp"], "requested_memory": 100, **bounds}
    assert say(registrar, "GET", f"/check?name={name}")[0] == 404
    status, place = say(registrar, "POST", "/", **form)
    assert (status, say(registrar, "GET", f"/check?name={name}")[0]) == (200, 200)
    status, body = called(place, name, 20)
    said = json.loads(body)
    assert (status, said["Status"], said["Function"]) == (200, "OK", name)
    assert said["ExecutionTime"] >= 20_000
    assert say(registrar, "POST", "/patch", function=name, scaling_upper_bound=3) == (200, "")
    assert say(registrar, "POST", "/", name=name)[0] == 400
    assert repr(registrar) == f"<Registrar at port {registrar.server_address[1]}, 5 answered>"


def test_a_browser_registers_nothing(registrar: Registrar) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", registrar.server_address[1])
    connection.request("POST", "/", "name=f", {"origin": "http://evil.example"})
    assert connection.getresponse().status == 403
    connection.close()


def test_other_code_stands_for_an_image(whole: Whole, tmp_path: Path) -> None:
    code = tmp_path / "other.py"
    code.write_text("def handler(event): return {'ours': True}\n")
    with Client(f"http://127.0.0.1:{whole.port}") as client:
        platform = Server(client, {"docker.io/me/other": code}, [])
        assert repr(platform).endswith(", 1 images>")
        registrar = Registrar("127.0.0.1", 0, platform, Scheduling.WORKER)
        serving = threading.Thread(target=registrar.serve_forever)
        serving.start()
        form = {"name": "other", "image": "docker.io/me/other", "port_forwarding": ["80", "tcp"]}
        assert say(registrar, "POST", "/", **form)[0] == 200
        registrar.shutdown()
        serving.join()
        registrar.server_close()
    assert json.loads(called(f"127.0.0.1:{whole.port}", "other", 0)[1]) == {"ours": True}
