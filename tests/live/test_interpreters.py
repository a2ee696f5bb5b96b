"""The agent on each interpreter that this machine has, from the oldest that is promised on."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
OLDEST, NEWEST = (3, 11), (3, 20)
PROGRAM = f"""
import json, pkgutil, sys
sys.path.insert(0, {str(ROOT)!r})
import attacca.guest
for module in pkgutil.iter_modules(attacca.guest.__path__):
    if module.name != "__main__":
        __import__("attacca.guest." + module.name)
from attacca.guest import quickjson
value = {{"é": [1, 2.5, None], "b": "\\n"}}
raw = quickjson.dumps(value)
foreign = {{name.partition(".")[0] for name in sys.modules}} - set(sys.stdlib_module_names) - {{"attacca", "__main__"}}
print(json.dumps({{
    "version": sys.version_info[:2],
    "text": raw.decode(),
    "is_same": quickjson.loads(raw) == value,
    "is_quick": [quickjson._scan is not None, quickjson._encode is not None],
    "foreign": sorted(foreign),
}}))
"""


def interpreters() -> dict[tuple[int, int], str]:
    """By version: one of each that starts; ours among them."""
    there = {sys.version_info[:2]: sys.executable}
    for minor in range(OLDEST[1], NEWEST[1]):
        program = shutil.which(f"python3.{minor}")
        if program is not None and subprocess.run([program, "-V"], capture_output=True, check=False).returncode == 0:
            there.setdefault((3, minor), program)
    return there


def test_the_agent_is_imported_by_all_of_them_and_its_json_is_theirs() -> None:
    for version, program in interpreters().items():
        ran = subprocess.run([program, "-I", "-S", "-c", PROGRAM], capture_output=True, text=True, check=True)
        assert json.loads(ran.stdout) == {
            "version": list(version),
            "text": '{"é": [1, 2.5, null], "b": "\\n"}',
            "is_same": True,
            "is_quick": [True, True],  # of those known today: who has changed inside is to be looked at
            "foreign": [],
        }
