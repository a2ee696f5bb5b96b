"""docs/cluster.md on three machines, word by word; and what it says happens when one dies."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.live.machines import Machine, Machines, is_server, machines
from tests.live.whole import until

TEXT = (Path(__file__).parents[2] / "docs" / "cluster.md").read_text()
PLACE = re.compile(r"\*\*(10\.0\.0\.\d)\*\*")
BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)


class Step(NamedTuple):
    """A block of commands, and the machine that was named last before it."""

    section: str
    machine: str
    script: str


def steps() -> list[Step]:
    found, section, at, end = [], "", "", 0
    for block in BLOCK.finditer(TEXT):
        between = TEXT[end : block.start()]
        for line in between.splitlines():
            section = line.removeprefix("## ") if line.startswith("## ") else section
            section = line.removeprefix("### ") if line.startswith("### ") else section
            at = (PLACE.findall(line) or [at])[-1]
        found.append(Step(section, at, block[1].strip()))
        end = block.end()
    return found


class Story:
    """The machines, and what was said on them for each step."""

    def __init__(self, made: Machines) -> None:
        self.machines = made
        self.said: list[str] = []

    def machine(self, number: int) -> Machine:
        return self.machines.by_address[f"10.0.0.{number}"]

    def call(self, number: int = 3) -> str:
        """From another machine; its status, too."""
        return self.machine(number).run(
            "curl -s -m 20 -w ' %{http_code}' http://10.0.0.1:8080/function/hello -d '{\"name\": \"ann\"}' "
            "-H 'content-type: application/json'"
        )


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    with machines(tmp_path_factory.mktemp("m"), 3) as made:
        told = Story(made)
        for step in steps():
            if step.section == "Three machines":
                told.said.append(made.by_address[step.machine].run(step.script))
        yield told


def test_one_command_is_started_on_each_machine_and_functions_are_answered(story: Story) -> None:
    assert [(one.machine, is_server(one.script)) for one in steps() if one.section == "Three machines"] == [
        ("10.0.0.1", False), ("10.0.0.1", False), ("10.0.0.1", True), ("10.0.0.1", True), ("10.0.0.2", True),
        ("10.0.0.3", True), ("10.0.0.1", False), ("10.0.0.3", False),
    ]  # fmt: skip
    shown, answer = story.said[-2:]
    assert "w1" in shown
    assert "w2" in shown
    assert "bob" in shown
    assert "ann" in answer


def test_a_worker_is_drained_as_the_document_says(story: Story) -> None:
    [step] = [one for one in steps() if "drain" in one.script]
    story.machines.by_address[step.machine].run(step.script)
    assert "draining" in story.machine(1).run("attacca status")
    assert story.call().endswith(" 200")
    story.machine(1).run("attacca worker uncordon w1")


def test_a_machine_that_is_cut_off_is_missed_and_comes_back(story: Story) -> None:
    assert story.call().endswith(" 200")
    cut = story.machine(2)
    began = time.monotonic()
    story.machines.cut(cut)
    answers = []
    while time.monotonic() - began < 8:
        answers.append(story.call())
    assert [answer for answer in answers if not answer.endswith(" 200")] == [], (
        "what had not begun was sent to the other"
    )
    until(lambda: not re.search(r"w1 +ready", story.machine(1).run("attacca status")), "control misses it")
    story.machines.mend(cut)
    until(lambda: re.search(r"w1 +ready", story.machine(1).run("attacca status")), "it is back", 30)
    assert story.call().endswith(" 200")


def test_functions_are_answered_without_control_and_all_join_it_again(story: Story) -> None:
    first = story.machine(1)
    control = first.servers[0]
    control.kill()
    control.wait()
    assert story.call().endswith(" 200")
    [command] = [one.script for one in steps() if one.script.startswith("attacca control")]
    first.serve(command)
    until(lambda: len(re.findall(r"w\d +ready", first.run("attacca status"))) == 2, "workers are back", 30)
    first.run("attacca deploy hello")  # of which a gateway that is not back hears later
    assert story.call().endswith(" 200")
