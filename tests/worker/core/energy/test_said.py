from hypothesis import given
from hypothesis import strategies as st

from attacca.worker.core.energy.said import PerfLine, dcmi_watts, nvidia_watts, perf_line, tegra_rails, tegra_watts

DCMI = """
    Instantaneous power reading:                   220 Watts
    Minimum during sampling period:                 18 Watts
    Maximum during sampling period:                438 Watts
    Average power reading over sample period:      219 Watts
    IPMI timestamp:                           Thu Sep 14 11:54:00 2022
    Sampling period:                          00000001 Seconds.
    Power reading state is:                   activated
"""
ORIN = (
    "09-14-2022 11:54:00 RAM 2100/30623MB (lfb 6x4MB) SWAP 0/15311MB CPU [2%@729,0%@729] GR3D_FREQ 0% cpu@45.5C "
    "VDD_GPU_SOC 1600mW/1600mW VDD_CPU_CV 400mW/402mW VIN_SYS_5V0 3024mW/3024mW"
)
XAVIER = (
    "RAM 1234/7850MB CPU [1%@1190,2%@1190] GPU 155/155 CPU 310/310 SOC 930/930 CV 0/0 VDDRQ 155/155 SYS5V 1447/1447"
)


def test_a_controller_says_watts() -> None:
    assert dcmi_watts(DCMI) == 220.0
    assert dcmi_watts(DCMI.replace("220 Watts", "0 Watts")) is None, "a machine that is on takes something"
    assert dcmi_watts("DCMI request failed because: Invalid command") is None


def test_perf_says_joules_since_its_line_before() -> None:
    assert perf_line("     1.000109352,28.35,Joules,power/energy-pkg/,1000112544,100.00,,") == PerfLine(
        1.000109352, 28.35, "Joules", "power/energy-pkg/"
    )
    assert perf_line("     2.000200000,<not supported>,,LLC-loads,0,100.00,,") is None
    assert perf_line("     2.000200000,<not counted>,Joules,power/energy-ram/,0,100.00,,") is None
    assert perf_line("# started on Mon Aug 29 15:04:17 2022") is None
    assert perf_line("") is None


def test_a_board_is_its_input_or_all_of_its_rails() -> None:
    rails = tegra_rails(ORIN)
    assert rails == {"VDD_GPU_SOC": 1.6, "VDD_CPU_CV": 0.4, "VIN_SYS_5V0": 3.024}
    assert tegra_watts(rails) == 3.024, "the others are parts of it"
    assert tegra_watts(tegra_rails(XAVIER)) == 0.155 + 0.31 + 0.93 + 0.155 + 1.447
    assert tegra_watts({}) is None


def test_accelerators_say_watts_one_by_one() -> None:
    assert nvidia_watts("0, 61.25\n1, [N/A]\n2, 300.00\n") == {"0": 61.25, "2": 300.0}


@given(st.text(max_size=40), st.text(max_size=40))
def test_nothing_that_is_said_is_too_much(before: str, after: str) -> None:
    for text in (before + DCMI[:80] + after, before + ORIN[-60:] + after, f"1.0,2,{before},{after}", before + after):
        assert dcmi_watts(text) is None or dcmi_watts(text) == 220.0
        assert all(watts >= 0 for watts in (*tegra_rails(text).values(), *nvidia_watts(text).values()))
        found = perf_line(text)
        assert found is None or found.value >= 0
