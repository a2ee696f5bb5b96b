"""Plays one busy scenario and prints everything the worker said: run as a program, under any hash seed."""

import msgspec

from attacca.model.invocation import Failed
from attacca.model.messages import Checked, Ended, Evict, Prewarm, Resting, Send, Started
from attacca.policy.concurrency.bypass import Bypass
from attacca.policy.keepalive.greedy_dual import GreedyDual
from attacca.policy.queueing.mqfq import Mqfq
from attacca.worker.config import WorkerConfig
from attacca.worker.core.events import Command, Drain, DropTemplate, Kill, MakeSandbox, MakeTemplate, Run, Stop, ToPeer
from attacca.worker.runtime.scripted import Fault, Times
from tests.worker.stage import Stage, revision


def play() -> Stage:
    stage = Stage(
        WorkerConfig(memory_mb=600, memory_buffer_mb=32),
        times=Times(run_ms=40),
        queueing=Mqfq(),
        concurrency=Bypass(count=4),
        keepalive=GreedyDual(),
    )
    stage.check(revision("ant"))
    stage.play(0.2)
    ant = stage.deploy("ant")
    bee = stage.deploy("bee", concurrency=2, min_sandboxes=1)
    cat = stage.deploy("cat", memory_mb=250, max_sandboxes=1)
    for _ in range(3):
        stage.send(ant, 2)
        stage.send(bee, 3)
        stage.send(cat)
        stage.play(0.03)
    stage.withdraw("ant-7", running=False)
    stage.play(0.2)
    stage.machine.crash(next(iter(stage.runtime.sandboxes)))
    stage.machine.break_starts("cat", Fault(times=1))
    stage.tell(Evict("cat", templates=True))
    stage.send(cat, 2)
    stage.play(0.3)
    newer = stage.deploy("ant", 2)
    stage.send(newer, 2)
    stage.send(ant)
    stage.tell(Prewarm("bee", 2))
    stage.play(1)
    stage.send(bee, 3)
    stage.withdraw(f"bee-{stage.sent}", running=True)
    stage.play(0.01)
    stage.send(cat)
    stage.tell(Drain())
    stage.play(2)
    return stage


def said(message: ToPeer) -> str:
    match message:
        case Started():
            times = "/".join(f"{value:.0f}" for value in msgspec.structs.astuple(message.timing)[:-1])
            return f"{message.id} started {message.start} ({times}): {message.why}"
        case Ended():
            outcome = message.outcome
            return f"{message.id} ended {outcome.code if isinstance(outcome, Failed) else 'ok'}"
        case Checked():
            return f"checked {message.revision.id}"
        case Resting():
            return f"{message.idle} of {message.function} rest"
        case _:
            return str(message)


def line(at: float, command: Command) -> str:
    match command:
        case MakeSandbox():
            how = f"from {command.template}" if command.template else "from nothing"
            text = f"make {command.sandbox} of {command.revision.id} {how}: {command.why}"
        case MakeTemplate():
            text = f"template {command.template} of {command.revision.id}"
        case DropTemplate():
            text = f"drop {command.template}: {command.why}"
        case Kill():
            text = f"kill {command.sandbox}: {command.why}"
        case Run():
            text = f"run {command.invocation.id} in {command.sandbox}"
        case Stop():
            text = f"stop {command.invocation} in {command.sandbox}"
        case Send():
            text = said(command.message)
        case _:
            text = str(command)
    return f"{at * 1000:7.1f}  {text}"


if __name__ == "__main__":
    stage = play()
    for at, command in stage.said:
        print(line(at, command))
