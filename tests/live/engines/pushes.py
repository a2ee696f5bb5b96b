"""What `docker push` and `skopeo copy` bring to a server is a function, or they say why it is none."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.live import needed, outside, python_image
from tests.live.engines.daemons import running as daemon_running
from tests.live.whole import Whole, running

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="containers are made by root")


class Stage(NamedTuple):
    server: Whole
    docker: list[str]  # its client
    layouts: dict[str, Path]  # of one that serves, and of one that cannot

    @property
    def at(self) -> str:
        return f"localhost:{self.server.port}"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    needed.expect("skopeo")
    at = tmp_path_factory.mktemp("pushes")
    image = python_image.unpacked(at / "unpacked")
    layouts = {doing: python_image.laid_out(at / doing, doing, image) for doing in ("echo", "broken")}
    with (
        outside.outside(),
        daemon_running("docker", at / "daemon", is_here=True) as daemon,
        running(at / "state") as server,
    ):
        yield Stage(server, ["docker", "-H", f"unix://{daemon.socket}"], layouts)


def told(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False)


def copied(stage: Stage, doing: str, to: str) -> subprocess.CompletedProcess[str]:
    options = ("--insecure-policy", "--src-tls-verify=false", "--dest-tls-verify=false")
    return told("skopeo", "copy", *options, f"oci:{stage.layouts[doing]}", to)


def test_a_copy_is_a_function_and_comes_back_as_it_was(stage: Stage, tmp_path: Path) -> None:
    done = copied(stage, "echo", f"docker://{stage.at}/copied:v1")
    assert done.returncode == 0, done.stderr
    assert stage.server.ask("POST", "/function/copied", b"hello").body == b"hello"
    options = ("--insecure-policy", "--src-tls-verify=false")
    done = told("skopeo", "copy", *options, f"docker://{stage.at}/copied:v1", f"oci:{tmp_path / 'back'}")
    assert done.returncode == 0, done.stderr
    places = (stage.layouts["echo"], tmp_path / "back")
    before, after = ({path.name for path in (one / "blobs" / "sha256").iterdir()} for one in places)
    assert before == after
    done = copied(stage, "broken", f"docker://{stage.at}/broken:v1")
    assert (done.returncode, "nothing_of_this_name" in done.stderr) == (1, True), done.stderr


def test_a_push_of_dockers_is_a_function(stage: Stage, tmp_path: Path) -> None:
    for doing in stage.layouts:
        archive = tmp_path / f"{doing}.tar"
        assert copied(stage, doing, f"docker-archive:{archive}:{stage.at}/{doing}:latest").returncode == 0
        done = told(*stage.docker, "load", "-i", str(archive))
        assert done.returncode == 0, done.stderr
    done = told(*stage.docker, "push", f"{stage.at}/echo")
    assert done.returncode == 0, done.stderr
    assert stage.server.ask("POST", "/function/echo", b"hello").body == b"hello"
    done = told(*stage.docker, "push", f"{stage.at}/broken")
    assert (done.returncode, "nothing_of_this_name" in done.stderr) == (1, True), done.stderr
    assert [row["function"] for row in stage.server.get("/api/functions")] == ["copied", "echo"]
