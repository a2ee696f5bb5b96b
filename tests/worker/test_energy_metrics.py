from attacca.io.exposition import Form, written
from attacca.model.energy import EnergyView, FunctionEnergy
from attacca.worker.energy_metrics import OfEnergy

VIEW = EnergyView(
    source="powercap", watts=31.5, idle_w=20.0, total_j=100.0, functions_j=60.0, other_j=25.0, idle_j=15.0,
    accelerators_w=(0.0, 61.0), functions=(FunctionEnergy(function="f", run_j=50.0, kept_j=10.0, error_j=2.5),),
)  # fmt: skip


def test_what_was_spent_is_on_the_page() -> None:
    lines = [line for line in written(Form.TEXT, [OfEnergy(VIEW)]).decode().splitlines() if line[0] != "#"]
    assert lines == [
        "attacca_machine_watts 31.5",
        "attacca_machine_idle_watts 20.0",
        'attacca_energy_joules_total{of="functions"} 60.0',
        'attacca_energy_joules_total{of="other"} 25.0',
        'attacca_energy_joules_total{of="idle"} 15.0',
        'attacca_function_energy_joules_total{faas_name="f",state="running"} 50.0',
        'attacca_function_energy_joules_total{faas_name="f",state="kept"} 10.0',
        'attacca_function_energy_error_joules{faas_name="f"} 2.5',
        'attacca_accelerator_watts{device="1"} 61.0',
    ]
