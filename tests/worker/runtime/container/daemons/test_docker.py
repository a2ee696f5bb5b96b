import socket

import msgspec
import pytest

from attacca.model.function import Network, Settings
from attacca.model.image import ImageConfig
from attacca.worker.host.cdi import Bound, Edits, Node, applied
from attacca.worker.runtime.container.daemons import ushers
from attacca.worker.runtime.container.daemons.containerd import Containerd
from attacca.worker.runtime.container.daemons.docker import Docker, Inspected, body, within
from attacca.worker.runtime.container.daemons.docker_api import DockerApi, Spoken, Unanswered, agreed
from attacca.worker.runtime.container.daemons.tending import spoken
from attacca.worker.runtime.container.spec import spec
from tests.cases import each

IMAGE = ImageConfig(entrypoint=("/bin/app",), cmd=("-v",), env=("A=image",), working_dir="/srv")


def told(**settings: object) -> dict[str, object]:
    wanted = msgspec.convert({"name": "box", "memory_mb": 64, **settings}, Settings)
    made = spec(IMAGE, wanted, (5, 6), {"PORT": "8080"}, processes=64, open_files=100, space_mb=64)
    return body(made, "copies:1", "attacca-1-a", "/run/x", ("/run/secrets/key", "/etc/hosts"))


def test_docker_is_told_the_same_as_other_engines() -> None:
    whole = told(cpus=0.5)
    assert (whole["Entrypoint"], whole["Cmd"], whole["User"], whole["WorkingDir"]) == (
        ["/bin/app", "-v"],
        [],
        "5:6",
        "/srv",
    )
    host = whole["HostConfig"]
    assert isinstance(host, dict)
    assert (host["Memory"], host["MemorySwap"], host["PidsLimit"]) == (64 << 20, 64 << 20, 64)
    assert (host["CpuQuota"], host["CpuPeriod"]) == (50_000, 100_000)
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["NetworkMode"]) == (True, ["ALL"], "none")
    assert host["Binds"] == [
        "/run/x/upper/run/secrets/key:/run/secrets/key:ro",
        "/run/x/upper/etc/hosts:/etc/hosts:ro",
    ]
    assert host["Tmpfs"] == {"/tmp": "nosuid,nodev,mode=1777,size=64m,exec"}
    assert host["ShmSize"] == 64 << 20
    assert {"Name": "nofile", "Soft": 100, "Hard": 100} in host["Ulimits"]
    assert told(network=Network.HOST)["HostConfig"]["NetworkMode"] == "host"  # type: ignore[index]  # it is JSON


def test_in_the_network_of_another_docker_lets_nobody_have_a_name_of_its_own() -> None:
    whole = told()
    inside = within(whole, "usher-1")
    assert (whole["Hostname"], inside["Hostname"]) == ("box", "")
    assert inside["HostConfig"]["NetworkMode"] == "container:usher-1"
    assert inside["Env"][-1] == "HOSTNAME=box"
    named = within({**whole, "Env": ["HOSTNAME=mine"]}, "usher-1")
    assert named["Env"] == ["HOSTNAME=mine"]


def test_an_usher_may_go_into_namespaces_and_nothing_else() -> None:
    host = ushers.body("attacca-1-a", "/run/x/usher-1")["HostConfig"]
    assert (host["CapDrop"], host["CapAdd"], host["NetworkMode"]) == (["ALL"], ["SYS_ADMIN"], "none")
    assert all(one.endswith(":ro") for one in host["Binds"])
    assert (host["ReadonlyRootfs"], host["CgroupParent"]) == (True, "/attacca-1-a")
    assert len({one.split(":")[1] for one in host["Binds"]}) == len(host["Binds"])


def test_docker_is_given_devices_mounts_and_groups() -> None:
    made = spec(IMAGE, Settings(name="box"), (5, 6), {}, processes=9, open_files=9, space_mb=9)
    edits = Edits(
        device_nodes=(Node(path="/dev/thing", host_path="/dev/zero", type="c", major=1, minor=5),),
        additional_gids=(44,), mounts=(Bound(host_path="/lib/a", container_path="/opt/a", options=("ro",)),),
    )  # fmt: skip
    host = body(applied(made, [edits]), "copies:1", "attacca-1-a", "/run/x", ())["HostConfig"]
    (device,) = host["Devices"]
    assert device == {"PathOnHost": "/dev/zero", "PathInContainer": "/dev/thing", "CgroupPermissions": "rwm"}
    assert (host["Binds"], host["GroupAdd"]) == (["/lib/a:/opt/a:ro"], ["44"])


def test_what_an_old_docker_would_refuse_otherwise_is_unknown_to_the_kernel() -> None:
    host = told()["HostConfig"]
    assert isinstance(host, dict)
    rules = msgspec.json.decode(host["SecurityOpt"][1].removeprefix("seccomp="))["syscalls"]
    assert [rule["errnoRet"] for rule in rules if "clone3" in rule["names"]] == [38]


@each("code, status", [(0, 0), (3, 3 << 8), (137, 9), (255, 255 << 8)])
def test_an_exit_status_of_a_shell_is_one_of_waits(code: int, status: int) -> None:
    assert spoken(code) == status


@each("newest, oldest, found", [("1.41", "1.12", "1.41"), ("1.51", "1.24", "1.41"), ("1.52", "1.44", "1.44")])
def test_the_oldest_version_that_will_do_is_spoken(newest: str, oldest: str, found: str) -> None:
    assert agreed(Spoken(newest, oldest)) == found


def test_a_docker_that_is_too_old_is_not_spoken_to() -> None:
    with pytest.raises(Unanswered, match=r"speaks version 1\.40 of its API, and 1\.41 is needed"):
        agreed(Spoken("1.40", "1.12"))


def test_what_docker_says_of_a_container_is_read() -> None:
    raw = b'{"Id": "a", "State": {"Pid": 7, "ExitCode": 137, "OOMKilled": true, "Running": false}, "X": []}'
    state = msgspec.json.decode(raw, type=Inspected).state
    assert (state.pid, state.exit_code, state.o_o_m_killed) == (7, 137, True)


def test_what_there_is_of_doors() -> None:
    ours, theirs = socket.socketpair()
    usher = ushers.Usher("u1", ours)
    assert repr(usher) == "<Usher u1, here>"
    usher.close()
    theirs.close()
    assert repr(usher) == "<Usher u1, gone>"

    async def nothing(*_: object) -> None: ...

    assert repr(ushers.Ushers("g", "/h", nothing, nothing)) == "<Ushers of g: 0 idle, 0 made>"
    assert repr(Docker("/d")) == "<Docker <DockerApi at /d>, 0 images, 0 heard>"
    assert repr(DockerApi("/d")) == "<DockerApi at /d>"
    assert repr(Containerd("/c")) == "<Containerd at /c, closed>"
