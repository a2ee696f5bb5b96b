import importlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from attacca import __version__
from attacca.cli.app import VERBS, app, load
from attacca.client.http import Client
from attacca.errors import Unreachable
from tests.cases import each

pytestmark = pytest.mark.long  # who draws helps and tables takes a while
RUNNER = CliRunner()
CONTEXTS = [verb for verb in VERBS if verb != "token"]


def test_help_names_every_verb_and_loads_none() -> None:
    shown = RUNNER.invoke(app, ["--help"])
    assert shown.exit_code == 0
    assert [verb for verb in VERBS if f"  {verb}" not in shown.output] == []


def test_version() -> None:
    assert RUNNER.invoke(app, ["--version"]).output == f"attacca {__version__}\n"


@each("verb", VERBS)
def test_every_verb_has_help_with_examples_that_begin_with_itself(verb: str) -> None:
    shown = RUNNER.invoke(app, [verb, "--help"])
    assert shown.exit_code == 0, shown.output
    assert "Examples" in shown.output
    assert f"attacca {verb}" in shown.output


@each("verb", CONTEXTS)
def test_every_verb_speaks_json(verb: str) -> None:
    command = load(verb)
    for one in getattr(command, "commands", {verb: command}).values():
        assert "--json" in {name for param in one.params for name in param.opts}, one.name


@each("verb", CONTEXTS)
def test_a_verbs_module_says_in_its_first_sentence_what_it_does(verb: str) -> None:
    assert (importlib.import_module(f"attacca.cli.{VERBS[verb][1]}.{verb}").__doc__ or "").startswith(
        f"`attacca {verb}`:"
    )


def test_a_wrong_verb_is_a_wrong_use_and_a_near_one_is_named() -> None:
    shown = RUNNER.invoke(app, ["depoly"])
    assert shown.exit_code == 2
    assert "Did you mean 'deploy'" in shown.output


@pytest.mark.parametrize(
    "words",
    [["invoke"], ["invoke", "x", "-n", "0"], ["invoke", "x", "--what"], ["rollback", "x", "--to", "a"], ["top", "x"]],
)
def test_wrong_use_exits_with_2(words: list[str]) -> None:
    assert RUNNER.invoke(app, words).exit_code == 2


@pytest.mark.parametrize(
    "words",
    [
        "top --every",
        "prewarm x -n",
        "calls -n",
        "rollback x --to",
        "deploy . --timeout",
        "invoke x -n",
        "sim run x --seed",
    ],
)
def test_a_number_without_end_is_wrong_use(words: str) -> None:
    for value in ("nan", "inf", "-inf", "1e400", "9" * 5000, "1e300", "0x10"):
        shown = RUNNER.invoke(app, [*words.split(), value])
        assert shown.exit_code == 2, shown.output
        assert shown.exception is None or isinstance(shown.exception, SystemExit), value


@pytest.mark.parametrize("words", ["scenario check", "sim run", "load run", "config --check"])
def test_a_file_without_a_bottom_is_wrong_use(tmp_path: Path, words: str) -> None:
    (tmp_path / "deep.toml").write_text("a = " + "[" * 20_000)
    shown = RUNNER.invoke(app, [*words.split(), str(tmp_path / "deep.toml")])
    assert shown.exit_code == 2, shown.output
    assert shown.exception is None or isinstance(shown.exception, SystemExit)


def test_a_wrong_setting_is_a_wrong_use_too() -> None:
    shown = RUNNER.invoke(app, ["invoke", "hello", "-a", "name"])
    assert shown.exit_code == 2
    assert "Try: -a name=bob" in shown.stderr


def test_a_server_that_does_not_answer_exits_with_3(monkeypatch: pytest.MonkeyPatch) -> None:
    def functions(_: Client) -> None:
        raise Unreachable("no attacca server answers at http://x", "attacca up")

    monkeypatch.setattr(Client, "functions", functions)
    shown = RUNNER.invoke(app, ["list"])
    assert (shown.exit_code, shown.stdout) == (3, "")
    assert "Try: attacca up" in shown.stderr
    shown = RUNNER.invoke(app, ["list", "--json"])
    assert json.loads(shown.stderr)["error"]["code"] == "unreachable"


def test_what_init_says_to_try_can_be_pasted(tmp_path: Path) -> None:
    made = RUNNER.invoke(app, ["init", str(tmp_path / "My Func")])
    assert f"attacca deploy '{tmp_path}/My Func' && " in made.stderr


def test_init_writes_a_function_that_deploy_accepts_and_never_writes_over_one(tmp_path: Path) -> None:
    from attacca.cli.functions.init import TEMPLATES
    from attacca.client.source import find

    for template in TEMPLATES:
        folder = tmp_path / f"My_{template}"
        made = RUNNER.invoke(app, ["init", str(folder), "--template", template, "--json"])
        assert made.exit_code == 0, made.output
        assert json.loads(made.stdout)["name"] == f"my-{template}"
        assert find(folder, {}).settings.name == f"my-{template}"
        compile((folder / "main.py").read_text(), "main.py", "exec")
        (folder / "main.py").write_text("mine")
        assert RUNNER.invoke(app, ["init", str(folder)]).exit_code == 1
        assert (folder / "main.py").read_text() == "mine"
    assert RUNNER.invoke(app, ["init", str(tmp_path / "x"), "--template", "cobol"]).exit_code == 2


def test_delete_asks_and_without_anybody_to_ask_refuses() -> None:
    shown = RUNNER.invoke(app, ["delete", "hello"])
    assert shown.exit_code == 1
    assert "attacca delete hello --yes" in shown.stderr


def test_config_says_where_each_setting_comes_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ATTACCA_PORT", "9000")
    shown = RUNNER.invoke(app, ["config", "--json", "--set", "keepalive=lru"])
    said = json.loads(shown.stdout)
    assert said["gateway.port"] == {"value": 9000, "from": "environment", "where": "ATTACCA_PORT"}
    assert said["worker.keepalive.policy"] == {"value": "lru", "from": "flag", "where": "--set keepalive=lru"}
    assert said["gateway.host"] == {"value": "127.0.0.1", "from": "default", "where": ""}
    file = tmp_path / "attacca.toml"
    file.write_text("port = 80\n[gateway]\nmax_body_mb = 1\n")
    assert RUNNER.invoke(app, ["config", "--check", str(file)]).exit_code == 0
    file.write_text("prot = 80\n")
    shown = RUNNER.invoke(app, ["config", "--check", str(file)])
    assert shown.exit_code == 2
    assert "there is no setting 'prot'" in shown.stderr
