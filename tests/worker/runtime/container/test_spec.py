import pytest

from attacca.errors import BadFunction
from attacca.model.function import Network, Settings
from attacca.model.image import ImageConfig
from attacca.worker.runtime.container.spec import MORE, PATH, seccomp, spec
from attacca.worker.runtime.process.zygote.calls import DENIED, numbers

IMAGE = ImageConfig(entrypoint=("/bin/app",), cmd=("-v",), env=("A=image", "B=image"), working_dir="/srv")


def told(settings: Settings, config: ImageConfig = IMAGE) -> dict[str, object]:
    return spec(config, settings, (5, 6), {"PORT": "8080"}, processes=64, open_files=100, space_mb=64)


def test_the_image_says_what_runs_and_the_settings_win() -> None:
    process = told(Settings(name="box", env={"B": "settings"}))["process"]
    assert isinstance(process, dict)
    assert process["args"] == ["/bin/app", "-v"]
    assert process["env"] == [f"PATH={PATH}", "A=image", "B=settings", "PORT=8080"]
    assert (process["cwd"], process["user"]) == ("/srv", {"uid": 5, "gid": 6})
    assert process["noNewPrivileges"]
    assert set(map(tuple, process["capabilities"].values())) == {()}
    with pytest.raises(BadFunction, match="no program"):
        told(Settings(name="box"), ImageConfig())


def test_its_limits_are_those_of_the_function() -> None:
    linux = told(Settings(name="box", memory_mb=32, cpus=0.5))["linux"]
    assert isinstance(linux, dict)
    resources = linux["resources"]
    assert resources["memory"] == {"limit": 32 << 20, "swap": 32 << 20}
    assert resources["pids"] == {"limit": 64}
    assert resources["cpu"] == {"shares": 512, "quota": 50_000, "period": 100_000}
    assert "size=32m" in str(told(Settings(name="box", memory_mb=32))["mounts"])


def test_a_network_of_its_own_unless_it_is_to_have_the_machines() -> None:
    own, machine = (str(told(Settings(name="box", network=network))) for network in (Network.NONE, Network.HOST))
    assert "@network@" in own
    assert "network" not in machine


def test_what_is_a_way_out_is_refused_and_what_is_unknown_is_not_there() -> None:
    filter_ = seccomp("x86_64")
    allowed, denied, *asked = filter_["syscalls"]
    assert (filter_["defaultAction"], filter_["defaultErrnoRet"]) == ("SCMP_ACT_ERRNO", 38)
    assert set(denied["names"]) == set(numbers(DENIED, "x86_64")) - set(MORE)
    assert not set(allowed["names"]) & {"mount", "ptrace", "bpf", "unshare", "keyctl", "io_uring_setup", "clone3"}
    assert [name for one in asked for name in one["names"]] == ["clone", "ioctl", *["socket"] * 4]
