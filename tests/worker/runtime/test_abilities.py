import os

import pytest

from attacca.model.function import Executable, Image, PythonDirectory
from attacca.worker.host.nat.outside import lacking
from attacca.worker.runtime.abilities import PLAIN, networks
from attacca.worker.runtime.container.options import ContainerOptions
from attacca.worker.runtime.process.options import ProcessOptions

KINDS = (PythonDirectory, Executable, Image)
WITH_NAT = ("host", "nat", "none")


def test_without_isolation_nothing_has_a_way_out() -> None:
    found = networks(KINDS, ProcessOptions(isolation="none"), ContainerOptions(engine="containerd"))
    assert found[PythonDirectory.what] == found[Executable.what] == PLAIN


def test_processes_have_one_where_the_machine_can_lay_it() -> None:
    found = networks((PythonDirectory,), ProcessOptions(), ContainerOptions())
    assert found == {PythonDirectory.what: WITH_NAT if lacking() is None else PLAIN}


@pytest.mark.skipif(os.geteuid() != 0, reason="containers are made by root")
def test_a_daemon_may_come_later_and_dockers_gives_no_way_out() -> None:
    docker = networks(KINDS, ProcessOptions(), ContainerOptions(engine="docker", docker="/nowhere"))
    assert docker[Image.what] == PLAIN
    assert Image.what in networks(KINDS, ProcessOptions(), ContainerOptions(engine="containerd", containerd="/nowhere"))


def test_an_ordinary_user_runs_no_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert networks(KINDS, ProcessOptions(), ContainerOptions(engine="docker")) == {
        PythonDirectory.what: PLAIN,
        Executable.what: PLAIN,
    }
