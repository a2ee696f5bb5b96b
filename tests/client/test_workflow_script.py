from pathlib import Path
from typing import Any

import pytest

from attacca.client.workflow_file import read
from attacca.client.workflow_script import Workflow
from attacca.errors import AttaccaError, BadConfig
from tests.cases import each

SAME = """
name = "demo"

[functions.counter]
code = "counter.py"
channels = ["out"]
outputs = { out = "log" }

[resources.log]
class = "file-log"
filename = "my.log"
add-timestamp = true
timeout_s = 5.0
"""


def demo(directory: Path) -> Workflow:
    (directory / "counter.py").write_text("def cast(ctx, source, message): ...\n")
    flow = Workflow("demo", directory / "start.py")
    flow.function("counter", "counter.py", channels=["out"], outputs={"out": "log"})
    flow.resource("log", "file-log", {"filename": "my.log", "add-timestamp": True}, timeout_s=5.0)
    return flow


def test_a_script_says_what_a_file_does(tmp_path: Path) -> None:
    flow = demo(tmp_path)
    (tmp_path / "workflow.toml").write_text(SAME)
    assert flow.source() == read(tmp_path)
    assert repr(flow) == "<Workflow demo: 1 functions, 1 resources>"
    with pytest.raises(BadConfig, match="there are several components 'log'"):
        flow.function("log", "counter.py")


@each(
    "settings, says",
    [
        ({"channels": []}, "counter has no channel 'out'"),
        ({"channels": ["out", "err"]}, "the channel 'err' of counter leads nowhere"),
        ({"channels": "out"}, "the channels of counter are no names"),
        ({"paylaod": "x"}, "'paylaod' is no setting of the function counter"),
        ({"outputs": {"out": "nobody"}}, "leads to 'nobody', which is not there"),
        ({"code": "x.py"}, "does not exist"),
        ({"requires": {"colour": "red"}}, "colour"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, settings: dict[str, Any], says: str) -> None:
    demo(tmp_path)
    flow = Workflow("demo", tmp_path / "start.py")
    told = {"code": "counter.py", "outputs": {"out": "log"}, **settings}
    flow.function("counter", **told)
    flow.resource("log", "file-log")
    with pytest.raises(AttaccaError) as refusal:
        flow.source()
    assert says in refusal.value.message
