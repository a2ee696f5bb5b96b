from pathlib import Path

import pytest

from attacca.client.workflow_file import names, read
from attacca.errors import BadConfig, NotFound
from attacca.model.events import Rule
from tests.cases import each

WHOLE = """
name = "demo"

[functions.counter]
code = "counter.py"
payload = "100"
memory_mb = 64
outputs = { out = "log", many = ["log", "counter"], one = { to = ["log", "counter"], rule = "any" } }
requires = { nodes = ["w1"] }

[resources.log]
class = "file-log"
filename = "my.log"
add-timestamp = true
"""


def written(directory: Path, text: str) -> Path:
    (directory / "counter.py").write_text("def cast(ctx, source, message): ...\n")
    (directory / "workflow.toml").write_text(text)
    return directory


def test_it_is_read_whole(tmp_path: Path) -> None:
    source = read(written(tmp_path, WHOLE))
    assert source.code == {"counter": tmp_path / "counter.py"}
    spec = source.spec({"counter": {"type": "python", "code": "abc", "bundle": None}})
    counter, log = spec.components
    assert (spec.name, counter.payload, counter.memory_mb, counter.requires.nodes) == ("demo", "100", 64, ("w1",))
    assert {channel: (output.to, output.rule) for channel, output in counter.outputs.items()} == {
        "out": (("log",), Rule.ALL), "many": (("log", "counter"), Rule.ALL), "one": (("log", "counter"), Rule.ANY),
    }  # fmt: skip
    assert (log.resource, log.configuration) == ("file-log", {"filename": "my.log", "add-timestamp": "true"})
    assert [(one.name, ways) for one, ways in names(spec)][1] == ("log", [])


@each(
    "change, says",
    [
        (('name = "demo"', "name = "), "docs/workflows.md has an example"),
        (('name = "demo"', 'nome = "demo"'), "'nome' is no key of a workflow"),
        (("payload", "paylaod"), "'paylaod' is no setting of the function counter"),
        (('class = "file-log"', ""), "the resource log has no class"),
        (("[resources.log]", "[resources.counter]"), "is a function and a resource"),
        (('out = "log"', 'out = "lag"'), "leads to 'lag', which is not there"),
        (('code = "counter.py"', ""), "the function counter has no code"),
        (("memory_mb = 64", "memory_mb = 1"), "memory_mb"),
        (('name = "demo"', 'name = "De mo"'), "the workflow 'De mo'"),
        (('rule = "any"', 'rule = "some"'), "rule"),
        (("[resources.log]", "resources = 1\n[other]"), "other"),
    ],
)
def test_what_is_wrong_is_named(change: tuple[str, str], says: str, tmp_path: Path) -> None:
    with pytest.raises(BadConfig) as refused:
        read(written(tmp_path, WHOLE.replace(*change)))
    assert says in refused.value.message + refused.value.hint


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        read(tmp_path)
    written(tmp_path, WHOLE)
    (tmp_path / "counter.py").unlink()
    with pytest.raises(NotFound, match="the code of counter"):
        read(tmp_path / "workflow.toml")
