from pathlib import Path

import pytest

from attacca.cli.serve.configuration import SHORT, ServerConfig, default_state_dir, load, where_state_is
from attacca.errors import BadConfig
from attacca.kernel.registry import Choice
from attacca.kernel.settings import keys
from attacca.worker.host.memory import available_mb

pytestmark = pytest.mark.long  # settings are read from files

HOME = {"HOME": "/home/ann"}


def written(path: Path, text: str) -> str:
    file = path / "attacca.toml"
    file.write_text(text)
    return str(file)


def test_the_state_is_where_up_would_have_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.toml"
    file.write_text('state_dir = "/from/file"\n')
    monkeypatch.setenv("ATTACCA_CONFIG", str(file))
    assert where_state_is("")[0] == Path("/from/file")
    assert where_state_is("/from/flag")[0] == Path("/from/flag")
    monkeypatch.setenv("ATTACCA_CONTROL__STATE_DIR", "/from/environment")
    assert where_state_is("")[0] == Path("/from/environment")


def test_defaults_fit_this_machine() -> None:
    config = load(HOME).value
    assert config.control.state_dir == Path("/home/ann/.local/state/attacca")
    assert 128 <= config.worker.memory_mb <= max(available_mb(), 128) + 64
    assert config.worker.cores >= 1
    assert config.gateway.host == "127.0.0.1"


def test_the_state_directory_follows_xdg() -> None:
    assert default_state_dir({"XDG_STATE_HOME": "/var/state"}) == Path("/var/state/attacca")


def test_short_names_stand_for_long_ones(tmp_path: Path) -> None:
    file = written(
        tmp_path, 'port = 1\nkeepalive = "lru"\nstate_dir = "/srv/state"\n[worker.queueing]\npolicy = "mqfq"\n'
    )
    config = load({**HOME, "ATTACCA_ISOLATION": "none", "ATTACCA_PORT": "2"}, file, {"host": ("::1", "--host")}).value
    assert (config.gateway.port, config.gateway.host, config.process.isolation) == (2, "::1", "none")
    assert config.worker.keepalive == Choice(policy="lru")
    assert config.worker.queueing == Choice(policy="mqfq")
    assert config.control.state_dir == Path("/srv/state")


def test_every_short_name_leads_somewhere() -> None:
    known = keys(ServerConfig)
    assert [
        full for full in SHORT.values() if not any(key == full or key.startswith(full + ".") for key in known)
    ] == []


@pytest.mark.parametrize(
    "said", ["worker.keepalive.idle_s=5", "keepalive.idle_s=5", "worker.keepalive.options.idle_s=5"]
)
def test_options_of_a_policy_may_be_said_in_short(said: str) -> None:
    assert load(HOME, assignments=[said]).value.worker.keepalive == Choice(policy="ttl", options={"idle_s": 5})


def test_a_default_policy_has_its_default_options() -> None:
    assert load(HOME).value.worker.concurrency == Choice(policy="fixed", options={"count": 64})
    assert load(HOME, assignments=["concurrency.count=8"]).value.worker.concurrency.options == {"count": 8}


@pytest.mark.parametrize("named", ["fixed", "aimd"])
def test_a_policy_that_is_named_is_taken_as_it_is(named: str) -> None:
    flags = {"concurrency": (named, "--concurrency")}
    assert load(HOME, "", flags).value.worker.concurrency == Choice(policy=named)


def test_a_relative_state_directory_is_one_below_where_it_was_said() -> None:
    assert load(HOME, "", {"state_dir": ("./state", "--state-dir")}).value.control.state_dir == Path.cwd() / "state"


def test_another_policy_leaves_the_options_of_the_one_before_behind(tmp_path: Path) -> None:
    file = written(tmp_path, '[worker.keepalive]\npolicy = "ttl"\nidle_s = 5\n')
    assert load(HOME, file).value.worker.keepalive.options == {"idle_s": 5}
    assert load(HOME, file, {"keepalive": ("ttl", "--keepalive")}).value.worker.keepalive.options == {"idle_s": 5}
    assert load(HOME, file, {"keepalive": ("lru", "--keepalive")}).value.worker.keepalive == Choice(policy="lru")


@pytest.mark.parametrize(
    ("environ", "said", "what"),
    [
        ({"ATTACCA_PROT": "1"}, [], "there is no setting 'prot' (from ATTACCA_PROT)"),
        ({}, ["gateway.port=x"], "gateway.port = 'x' is not allowed (from --set gateway.port=x)"),
        ({}, ["keepalive=nothing"], "no keepalive policy is called 'nothing'"),
        ({}, ["keepalive.idle=3"], "keepalive policy 'ttl'"),
        ({}, ["isolation=maybe"], "process.isolation = 'maybe' is not allowed"),
        ({}, ["memory_limits=maybe"], "process.memory_limits = 'maybe' is not allowed"),
        ({}, ["worker.memory_mb=64", "worker.memory_buffer_mb=64"], "memory_buffer_mb (64) must be less"),
        ({"ATTACCA_CONFIG": "/nowhere.toml"}, [], "'/nowhere.toml' cannot be read"),
    ],
)
def test_what_is_wrong_is_named(environ: dict[str, str], said: list[str], what: str) -> None:
    with pytest.raises(BadConfig) as caught:
        load({**HOME, **environ}, assignments=said)
    assert what in caught.value.message


def test_variables_of_the_client_are_no_settings() -> None:
    load({**HOME, "ATTACCA_URL": "http://x", "ATTACCA_TOKEN": "t", "ATTACCA_MIRRORS": "docker.io=m.example"})
    load({**HOME, "ATTACCA_WITHOUT": "crun,runc"})


def test_what_control_decides_by_is_chosen_there_and_slots_at_the_gateway() -> None:
    plain = load(HOME).value
    assert (plain.control.scaling, plain.control.placement) == (Choice(policy="knative"), Choice(policy="kubernetes"))
    said = load(
        HOME, assignments=["scaling=knative:target=3", "placement=random", "slots=knative", "slots.few=2"]
    ).value
    assert said.control.scaling == Choice(policy="knative", options={"target": 3})
    assert said.control.placement == Choice(policy="random")
    assert said.gateway.slots == Choice(policy="knative", options={"few": 2})
    for family in ("scaling", "placement", "slots"):
        with pytest.raises(BadConfig, match=f"no {family} policy is called 'fair'"):
            load(HOME, assignments=[f"{family}=fair"])


def test_balancing_is_chosen_at_the_gateway() -> None:
    assert load(HOME).value.gateway.balancing == Choice(policy="least_loaded")
    chosen = load(HOME, assignments=["balancing=ch_rlu", "balancing.vnodes=5"]).value.gateway.balancing
    assert chosen == Choice(policy="ch_rlu", options={"vnodes": 5})
    with pytest.raises(BadConfig, match="no balancing policy is called 'fair'"):
        load(HOME, assignments=["balancing=fair"])


def test_a_name_without_end_is_refused() -> None:
    with pytest.raises(BadConfig, match="nested too deeply"):
        load({}, assignments=["worker.keepalive." + "x." * 2000 + "x=1"])


def test_sandboxes_name_traces_where_somebody_is_told_of_them() -> None:
    def of(*given: str) -> bool | None:
        return load(HOME, assignments=given).value.of_sandboxes.is_traced

    url = "otlp.url=http://127.0.0.1:4318"
    assert (of(), of(url), of(url, 'otlp.signals=["metrics"]')) == (False, True, False)
    assert (of("process.is_traced=true"), of(url, "process.is_traced=false")) == (True, False)
