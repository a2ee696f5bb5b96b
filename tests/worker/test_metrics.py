from attacca.model.resources import Resources
from attacca.model.sandbox import FunctionView, MachineLoad, SandboxView, WorkerView
from attacca.worker.metrics import render


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
            functions=(FunctionView(function="f", idle=4),), sandboxes=(sandbox,),
        )
    ).decode()  # fmt: skip
    for line in (
        "attacca_worker_memory_used_mb 30.0", 'attacca_worker_sandboxes{phase="idle"} 1.0',
        'attacca_worker_idle{faas_name="f"} 4.0', "attacca_machine_cpu_share 0.5", "attacca_worker_draining 0.0",
    ):  # fmt: skip
        assert line in page
