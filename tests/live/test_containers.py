"""An image is deployed and asked on a whole server; what its program may not reach it tries; and nothing is left."""

import ast
import json
import os
import shutil
import signal
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from attacca.cli.app import app
from attacca.images.core.names import Reference
from attacca.images.layout import load
from attacca.images.pulling import push
from attacca.images.remote import Remote
from attacca.io.archive import pack
from attacca.worker.runtime.container.upstream import is_open
from attacca.worker.runtime.process.lineage import children
from tests.images.stage import store
from tests.live import enemy, needed, python_image
from tests.live.apart import cluster
from tests.live.cdi_device import has_what_a_file_says
from tests.live.whole import CGROUPS, Answer, Whole, deployment, running, until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="containers are made by root")
TRY = """
import errno, os, socket
def attempt(do, *words):
    try:
        return str(do(*words))
    except OSError as error:
        return errno.errorcode[error.errno]
"""


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    needed.expect("crun")
    return python_image.laid_out(tmp_path_factory.mktemp("image"), "python")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, layout: Path) -> Iterator[Whole]:
    with running(tmp_path_factory.mktemp("server") / "state") as whole:
        deploy(whole, layout, "box")
        yield whole


def deploy(server: Whole, layout: Path, name: str, **settings: Any) -> list[str]:
    answer = server.ask("POST", "/api/functions", *deployment(name, pack(layout), **settings))
    return answer.body.decode().splitlines()


def run(server: Whole, source: str, name: str = "box") -> Answer:
    return server.ask("POST", f"/function/{name}", (TRY + source).encode())


def inside(server: Whole, expression: str) -> Any:
    answer = run(server, f"said = {expression}")
    assert answer.status == 200, answer
    return ast.literal_eval(answer.body.decode())


def test_a_tar_of_an_image_is_deployed_by_the_command_line_and_answers(server: Whole, layout: Path) -> None:
    archive = layout.parent / "by-tar.tar"
    with tarfile.open(archive, "w") as made:
        made.add(layout, arcname=".")
    url = f"http://127.0.0.1:{server.port}"
    told = CliRunner().invoke(app, ["deploy", str(archive), "--url", url, "--json", "--runtime", "container"])
    assert told.exit_code == 0, told.output
    assert '"signature": "wsgi"' in told.output
    answer = run(server, "said = 6 * 7", "by-tar")
    assert (answer.status, answer.value, answer.headers["x-attacca-start"]) == (200, 42, "cold")
    assert run(server, "said = 6 * 7", "by-tar").headers["x-attacca-start"] == "warm"


def test_an_image_that_was_made_for_lambda_is_told_what_its_gateways_tell(server: Whole, tmp_path: Path) -> None:
    handler = "def handler(event, context): return {'event': event, 'name': context.function_name}"
    image = python_image.unpacked(tmp_path / "unpacked", handler, module="awslambdaric")
    done = deploy(server, python_image.laid_out(tmp_path, "nothing", image), "asks", event="api-gateway-v2")
    assert any('"signature":"event_context"' in line.replace(" ", "") for line in done), done
    answer = server.ask("POST", "/function/asks/below?a=b", b"hello")
    event = answer.value["event"]
    assert (event["rawPath"], event["rawQueryString"], event["body"]) == ("/below", "a=b", "hello")
    assert answer.value["name"] == "asks"


def test_an_image_that_is_pushed_or_named_is_a_function_and_the_same_again_is_no_revision(
    server: Whole, layout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = store(tmp_path)
    digest = load(layout, images, "any", "v1").digest
    for repository in ("pushed", "pushed", "team/kept"):
        push(images, digest, Remote(Reference(f"127.0.0.1:{server.port}", repository, "v1")))
    assert run(server, "said = 6 * 7", "pushed").value == 42
    rows = {row["function"]: row["revision"] for row in server.get("/api/functions")}
    assert rows["pushed"] == 1
    assert "team-kept" not in rows
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    place = f"127.0.0.1:{server.port}/team/kept:v1"
    words = ["deploy", place, "--name", "pulled", "--memory", "96", "--url", f"http://127.0.0.1:{server.port}"]
    told = CliRunner().invoke(app, words)
    assert told.exit_code == 0, told.output
    assert server.get("/api/functions/pulled")["settings"]["memory_mb"] == 96
    assert run(server, "said = 6 * 7", "pulled").value == 42


def test_the_registry_is_filled_and_pruned_and_what_functions_run_stays(
    server: Whole, layout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def told(*words: str) -> Any:
        done = CliRunner().invoke(app, ["registry", *words, "--url", f"http://127.0.0.1:{server.port}", "--json"])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    images = store(tmp_path)
    digest = load(layout, images, "any", "v1").digest
    push(images, digest, Remote(Reference(f"127.0.0.1:{server.port}", "stays", "v1")))
    made = ["filler/a-1", "filler/a-2"]
    assert told("populate", "--count", "2", "--size", "10KB", "--prefix", "filler/a") == {"pushed": made}
    assert {"repository": "filler/a-1", "tags": ["latest"]} in told("list")
    assert set(told("prune", "--dry-run")["would_remove"]) >= {f"{name}:latest" for name in made}
    assert set(told("prune")["removed"]) >= {f"{name}:latest" for name in made}
    assert told("prune")["removed"] == []
    assert {"repository": "stays", "tags": ["v1"]} in told("list")
    assert run(server, "said = 6 * 7", "stays").value == 42


def test_a_worker_apart_fetches_an_image_that_was_pushed_to_control(layout: Path, tmp_path: Path) -> None:
    images = store(tmp_path)
    digest = load(layout, images, "any", "v1").digest
    with cluster(tmp_path) as planes:
        push(images, digest, Remote(Reference(f"127.0.0.1:{planes.control.port}", "box", "v1")))
        assert run(planes.gateways["g1"], "said = 6 * 7").value == 42
        there = [path.name for path in (tmp_path / "w1" / "images" / "blobs").iterdir()]
        assert sorted(there) == sorted(path.name for path in images.blobs.directory.iterdir())


def test_it_has_no_rights_and_sees_nothing_of_the_machine(server: Whole) -> None:
    status = inside(server, "open('/proc/self/status').read().splitlines()")
    told = dict(line.split(":\t", 1) for line in status if line.startswith(("Cap", "NoNew", "Seccomp:")))
    assert {told[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {"0" * 16}
    assert (told["NoNewPrivs"], told["Seccomp"]) == ("1", "2")
    assert inside(server, "os.getuid(), os.getgid(), os.getpid()") == (1234, 1235, 1)
    assert inside(server, "[one for one in os.listdir('/proc') if one.isdecimal()]") == ["1"]
    mounts = inside(server, "open('/proc/self/mountinfo').read()")
    assert "attacca" not in mounts
    assert inside(server, "os.listdir('/sys/fs/cgroup')") == []
    assert inside(server, "os.listdir('/proc/1/root')") == inside(server, "os.listdir('/')")


def test_what_it_may_not_do_is_refused(server: Whole) -> None:
    paths = (
        "/x",
        "/etc/passwd",
        "/app/main.py",
        "/proc/sys/kernel/hostname",
        "/proc/sysrq-trigger",
        "/dev/x",
        "/sys/x",
    )
    refused = inside(server, f"[attempt(open, path, 'w') for path in {paths}]")
    assert set(refused) <= {"EROFS", "EACCES", "ENOENT"}, refused
    assert inside(server, "open('/tmp/x', 'w').write('y')") == 1
    calls = "attempt(os.chroot, '/tmp'), attempt(os.setuid, 0), attempt(os.mknod, '/tmp/d', 0o20666, 259)"
    assert set(inside(server, calls)) == {"EPERM"}
    assert inside(server, "attempt(socket.socket, 17, 3), attempt(socket.socket, 40, 1)") == ("ENOSYS", "ENOSYS")


def test_the_machine_and_others_are_out_of_its_networks_reach(server: Whole, layout: Path) -> None:
    """Its own loopback is all that it has: neither the admin API nor another container's port is there."""
    deploy(server, layout, "other")
    assert run(server, "said = 1", "other").status == 200
    with socket.create_server(("0.0.0.0", 0)) as door:
        ports = (server.port, door.getsockname()[1])
        connect = "attempt(socket.create_connection, (host, port), 1)"
        found = inside(server, f"[{connect} for host in ('127.0.0.1', '192.0.2.1', '10.0.0.1') for port in {ports}]")
    assert set(found) == {"ECONNREFUSED", "ENETUNREACH"}
    assert inside(server, "[name for _, name in socket.if_nameindex()]") == ["lo"]


def test_a_root_who_wants_out_does_not_get_there(server: Whole, tmp_path: Path) -> None:
    assert enemy.gets_out(server, enemy.layout_of_root(tmp_path)) == []


def test_a_disk_that_is_full_and_children_without_end_end_at_its_limits(server: Whole) -> None:
    fill = "attempt(os.posix_fallocate, os.open('/tmp/full', os.O_RDWR | os.O_CREAT), 0, 1 << 30)"
    assert inside(server, fill) in ("ENOSPC", "EFBIG")
    inside(server, "os.unlink('/tmp/full')")
    bomb = """
import threading
never, made = threading.Event(), []
try:
    while len(made) < 1000:
        made.append(threading.Thread(target=never.wait, daemon=True))
        made[-1].start()
except RuntimeError:
    made.pop()
never.set()
said = len(made)
"""
    answer = run(server, bomb)
    assert (answer.status, 50 < answer.value < 128) == (200, True), answer


def test_what_it_uses_is_seen_as_of_any_sandbox(server: Whole) -> None:
    burnt_s = inside(server, "[sum(range(10**6)) for _ in range(10)] and sum(os.times()[:2])")

    def use() -> dict[str, Any]:
        boxes = [one for one in server.worker()["sandboxes"] if one["revision"].startswith("box@")]
        return max((one["use"] or {} for one in boxes), key=lambda one: one.get("cpu_s", 0.0), default={})

    until(lambda: use().get("cpu_s", 0.0) >= burnt_s - 0.02, "its processor time is known")
    assert use()["memory_mb"] > 1
    assert use()["processes"] >= 1


def test_its_end_is_told_and_the_next_one_is_there(server: Whole) -> None:
    assert run(server, "os._exit(3)").code == "sandbox_lost"
    assert run(server, "said = len(b'x' * (1 << 30))").code == "out_of_memory"
    assert inside(server, "1 + 1") == 2
    run(server, "print('written by the program', flush=True)\nsaid = 1")
    until(lambda: "written by the program" in server.logs("box"), "its output is kept")


def test_one_with_an_accelerator_has_what_a_file_of_cdi_says(layout: Path, tmp_path: Path) -> None:
    has_what_a_file_says(layout, tmp_path, "crun")


def test_one_in_the_machines_network_has_a_port_that_is_free_and_secrets_as_files(server: Whole, layout: Path) -> None:
    assert server.ask("PUT", "/api/secrets/KEY", b"a value").status in (200, 204)
    deploy(server, layout, "wide", network="host", secrets={"KEY": "file"})
    with socket.create_server(("127.0.0.1", 0)) as door:
        connect = f"attempt(lambda: socket.create_connection(('127.0.0.1', {door.getsockname()[1]})).getpeername()[0])"
        answer = run(server, f"said = {connect}, open('/run/secrets/KEY').read(), os.environ['PORT']", "wide")
    peer, secret, port = ast.literal_eval(answer.body.decode())
    assert (peer, secret) == ("127.0.0.1", "a value")
    assert int(port) not in (0, 8080)


def test_a_keeper_that_is_killed_takes_its_containers_along_and_another_comes(server: Whole) -> None:
    assert inside(server, "1") == 1
    (keeper,) = [pid for pid in children(server.pid) if "keeper" in Path(f"/proc/{pid}/cmdline").read_text()]
    os.kill(children(keeper)[0], signal.SIGKILL)
    until(lambda: not processes(server.pid), "its containers end with it")
    assert inside(server, "2") == 2


def test_what_cannot_be_run_is_refused_and_says_why(server: Whole, layout: Path) -> None:
    *_, last = deploy(server, layout, "bad", env={"DOING": "broken"})
    assert "nothing_of_this_name" in last
    assert "exited with status 1" in last
    *_, last = deploy(server, layout, "bad", runtime="process")
    assert "the image has no python3" in last
    *_, last = deploy(server, layout, "bad", runtime="wasm")
    assert "an image is no runtime" in last
    assert "takes an image" in str(server.deploy("bad", "def bad(): pass", runtime="container"))


def test_after_its_server_was_killed_nothing_is_left_and_another_serves_what_was_deployed(server: Whole) -> None:
    assert inside(server, "1") == 1
    assert len(processes(server.pid)) > 0
    server.kill()
    until(lambda: not left(server.pid), "nothing is left of it")
    assert processes(server.pid) == []
    with running(server.state) as second:
        assert inside(second, "2") == 2
        second.stop()
        until(lambda: not left(second.pid), "nothing is left of the other")


def test_what_a_killed_keeper_left_is_removed_when_somebody_asks() -> None:
    gone = dead()
    name = f"attacca-{gone}-abcdef"
    kept = f"attacca-{os.getpid()}-abcdef"
    homes = [Path("/run") / one for one in (name, kept)]
    for home in homes:
        (home / "1" / "upper").mkdir(parents=True)
    at = next(iter(sorted(CGROUPS.glob("freezer"))), CGROUPS)
    (at / name / "1").mkdir(parents=True)
    told = CliRunner().invoke(app, ["worker", "clean", "--json"])
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["containers_of"] >= 1
    assert left(gone) == []
    assert homes[1].exists()
    shutil.rmtree(homes[1])


def dead() -> int:
    """The number of a process that is no more."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
    return process.pid


def processes(server: int) -> list[str]:
    """That live in its cgroups."""
    mark = f"/attacca-{server}-"
    found = []
    for pid in filter(str.isdecimal, os.listdir("/proc")):
        try:
            text = Path(f"/proc/{pid}/cgroup").read_text()
            if mark in text and Path(f"/proc/{pid}/root/app/main.py").exists():
                found.append(pid)
        except OSError:
            continue
    return found


def left(server: int) -> list[Path]:
    """Directories of its own that there still are: what lives in a cgroup keeps it."""
    mark = f"attacca-{server}-*"
    return [*Path("/run").glob(mark), *CGROUPS.glob(mark), *CGROUPS.glob(f"*/{mark}")]


def test_who_looks_for_a_listener_uses_one_socket_until_there_is_one() -> None:
    with socket.socket() as reserved, socket.socket() as door:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        assert [is_open(door, port) for _ in range(3)] == [False, False, False]
        reserved.listen()
        assert is_open(door, port)
        reserved.settimeout(5)
        with reserved.accept()[0] as served:
            door.sendall(b"?")
            assert served.recv(1) == b"?"


def test_who_calls_itself_has_found_nobody() -> None:
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="itself"):
            is_open(door, door.getsockname()[1])
