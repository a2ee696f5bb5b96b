from attacca.model.resources import Resources
from attacca.model.sandbox import MachineLoad, SandboxView, WorkerView
from attacca.worker.config import TelemetryConfig
from attacca.worker.core import view
from attacca.worker.metrics import render
from tests.workflow.core.stage import Stage, function, sends


def test_what_a_worker_shows_is_on_its_page() -> None:
    sandbox = SandboxView(
        id="s", revision="f@1", phase="idle", resources=Resources(1), busy=0, served=1, age_s=1, idle_s=1
    )
    load = MachineLoad(
        cpu_share=0.5, load_1m=2.0, memory_free_mb=10, disk_free_mb=20, received_mb_s=0.5, sent_mb_s=0.25
    )
    page = render(
        WorkerView(
            name="w", capacity=Resources(100), used=Resources(30), queued=1, running=2, limit=3, load=load,
            idle={"f": 4, "g": 0}, sandboxes=(sandbox,),
        )
    ).decode()  # fmt: skip
    for line in (
        "attacca_worker_memory_used_mb 30.0", 'attacca_worker_sandboxes{phase="idle"} 1.0',
        'attacca_worker_idle{faas_name="f"} 4.0', 'attacca_worker_idle{faas_name="g"} 0.0',
        "attacca_machine_cpu_share 0.5", "attacca_worker_draining 0.0",
    ):  # fmt: skip
        assert line in page


def test_what_instances_did_is_on_it_under_the_names_of_the_original() -> None:
    stage = Stage(lambda _, __, ___, ____: None, telemetry=TelemetryConfig(metrics_url="http://127.0.0.1:1"))
    node, workflow = stage.nodes["n1"], stage.start(function("a", to="b"), function("b"), name="w")
    view.samples(node.core, 0.0, 1_000_000.0)
    (a, _), (b, _) = stage.at(workflow, "a"), stage.at(workflow, "b")
    sends(node, a, "to", b"1")
    stage.play(1.0)
    node.machine.crash(a)
    stage.play(0.1)
    lines = render(view.brief(node.core), node.core.instances.telemetry).decode().splitlines()
    of_b = f'function_id="{b}"'
    for line in (
        'function_count{function_type="PYTHON",node_id="n1"} 1.0',
        f'execution_times_count{{{of_b},function_type="PYTHON",invocation_type="Cast",node_id="n1"}} 1.0',
        f'execution_times_bucket{{{of_b},function_type="PYTHON",invocation_type="Cast",le="0.0005",node_id="n1"}} 0.0',
        f'execution_times_bucket{{{of_b},function_type="PYTHON",invocation_type="Cast",le="0.1",node_id="n1"}} 1.0',
        f'transfer_times_count{{{of_b},node_id="n1"}} 1.0',
        'function_exits_total{function_type="PYTHON",node_id="n1",status="CodeError"} 1.0',
    ):
        assert line in lines
