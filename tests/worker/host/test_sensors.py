from pathlib import Path

from attacca.worker.host.sensors import Sensors


def file(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_fastest_and_the_hottest_are_told(tmp_path: Path) -> None:
    for number, khz in enumerate(("1200000", "3400000")):
        file(tmp_path / f"devices/system/cpu/cpu{number}/cpufreq/scaling_cur_freq", khz)
    gone = file(tmp_path / "class/thermal/thermal_zone0/temp", "90000\n")
    file(tmp_path / "class/hwmon/hwmon1/temp1_input", "45000\n")
    file(tmp_path / "class/hwmon/hwmon1/temp2_input", "nonsense")
    file(tmp_path / "class/hwmon/hwmon1/temp3_input", "-273000")
    file(tmp_path / "class/hwmon/hwmon1/temp4_input", "99999999")
    sensors = Sensors(tmp_path)
    assert repr(sensors) == "<Sensors 2 of speed, 5 of heat>"
    assert (sensors.mhz(), sensors.celsius()) == (3400.0, 90.0)
    gone.unlink()
    assert sensors.celsius() == 45.0, "one that has gone is left out"
    assert repr(sensors) == "<Sensors 2 of speed, 4 of heat>"


def test_a_machine_without_sensors_says_nothing(tmp_path: Path) -> None:
    sensors = Sensors(tmp_path)
    assert (sensors.mhz(), sensors.celsius()) == (0.0, 0.0)
