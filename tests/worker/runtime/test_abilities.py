import os
from pathlib import Path

import pytest

from attacca.model.function import Executable, Image, MicroVm, PodImage, PythonDirectory
from attacca.worker.host.nat.outside import lacking
from attacca.worker.runtime.abilities import PLAIN, makers, networks
from attacca.worker.runtime.container.options import ContainerOptions
from attacca.worker.runtime.microvm.options import MicroVmOptions
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


def test_an_ordinary_user_runs_no_images(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", str(tmp_path))  # where nothing carries packets
    assert networks(KINDS, ProcessOptions(), ContainerOptions(engine="docker")) == {
        PythonDirectory.what: PLAIN,
        Executable.what: PLAIN,
    }


def test_a_machine_of_its_own_has_a_way_out_where_root_lays_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda _path, _mode: True)
    for user, has_cards in ((0, lacking() is None), (1000, False)):
        monkeypatch.setattr(os, "geteuid", lambda user=user: user)
        found = networks((MicroVm,), ProcessOptions(), ContainerOptions())
        assert found == {MicroVm.what: ("nat", "none") if has_cards else ("none",)}


def test_without_its_device_no_machine_has_a_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    assert networks((MicroVm,), ProcessOptions(), ContainerOptions()) == {MicroVm.what: ("none",)}


def test_pods_have_what_network_policies_say() -> None:
    assert networks((PodImage,), ProcessOptions(isolation="none"), ContainerOptions()) == {PodImage.what: WITH_NAT}
    assert makers((PodImage,), ContainerOptions(), MicroVmOptions()) == {PodImage.what: "Kubernetes"}


def test_who_makes_sandboxes_is_said_where_it_is_not_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monitor = MicroVmOptions(qemu="/opt/bin/qemu-system-x86_64")
    assert makers((PythonDirectory, Image, MicroVm), ContainerOptions(engine="docker"), monitor) == {
        PythonDirectory.what: "",
        Image.what: "docker",
        MicroVm.what: "qemu-system-x86_64, tcg",
    }
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert Image.what not in makers((Image,), ContainerOptions(engine="docker"), monitor)
