"""Every mutable thing of a live run says its state in one line of numbers."""

from attacca.client.http import Client
from attacca.lab.answers import Rows
from attacca.lab.environment import Environment, Samples
from attacca.lab.runner import Ending, Live, Runner
from attacca.lab.standing import Standing
from attacca.load.records.recorder import NullRecorder
from attacca.load.workload.scenario import FunctionPlan, Scenario, Workload
from attacca.load.workload.schedule import Schedule
from tests.mutable import without_repr


def test_every_mutable_class_has_one() -> None:
    assert without_repr("attacca.lab") + without_repr("attacca.client") == []


def test_a_live_run() -> None:
    client = Client("http://127.0.0.1:8080")
    assert repr(client) == "<Client of http://127.0.0.1:8080, connected=False>"
    assert repr(Environment(client, "")) == "<Environment 0 functions at http://127.0.0.1:8080>"
    standing = Standing()
    standing.add(0.0, 0.0, 0.01, "timeout", "warm", is_warmup=False)
    standing.add(0.0, 0.0, 0.01, "", "warm", is_warmup=True)
    assert repr(standing) == "<Standing 2 answered, 1 measured, 1 failed>"
    scenario = Scenario(name="small", functions=(FunctionPlan(name="f"),), workload=Workload(duration_s=1.0))
    live = Live(scenario=scenario, calls=(), host="127.0.0.1", port=80)
    runner = Runner(live, Schedule(scenario), NullRecorder(scenario, "live", 0.0))
    assert repr(runner) == "<Runner 0 processes, <Standing 0 answered, 0 measured, 0 failed>>"
    assert repr(Rows("small", 1, [], 0.0)) == "<Rows of small: 0 functions>"
    ending = Ending()
    ending.interrupt()
    assert repr(ending) == "<Ending stopped=True given_up=False>"


def test_samples_of_a_server_elsewhere() -> None:
    assert repr(Samples(Client("http://127.0.0.1:1", ""), is_here=False)) == "<Samples 0 of 0 jiffies>"
