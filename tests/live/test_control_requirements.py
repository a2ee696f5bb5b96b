"""What we let through, as pip itself reads it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from attacca.control.core.packages.requirements import parse
from attacca.errors import BadRequest
from tests.control.core.packages.lines import TEXTS

READ = """
import json, sys
from optparse import Values
from pip._internal.index.collector import LinkCollector
from pip._internal.index.package_finder import PackageFinder
from pip._internal.models.search_scope import SearchScope
from pip._internal.models.selection_prefs import SelectionPreferences
from pip._internal.network.session import PipSession
from pip._internal.req.constructors import install_req_from_parsed_requirement
from pip._internal.req.req_file import parse_requirements

told = []
for path in sys.argv[1:]:
    session = PipSession()
    scope = SearchScope([], [], False)
    finder = PackageFinder.create(LinkCollector(session, scope), SelectionPreferences(allow_yanked=False))
    options = Values({"isolated_mode": False, "require_hashes": False, "features_enabled": []})
    found = []
    for one in parse_requirements(path, session, finder=finder, options=options):
        try:
            made = install_req_from_parsed_requirement(one)
        except Exception:  # pip refuses it: nothing is installed
            continue
        found.append({"link": made.link and made.link.url, "name": made.name, "editable": one.is_editable,
                      "constraint": one.constraint, "options": sorted(one.options or {}), "from": one.comes_from})
    told.append({"found": found, "indexes": finder.index_urls, "links": list(finder.find_links),
                 "hosts": list(finder.trusted_hosts)})
print(json.dumps(told))
"""


def as_pip_reads(paths: list[Path]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-I", "-c", READ, *map(str, paths)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


@given(st.lists(TEXTS, min_size=60, max_size=60))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.large_base_example])
def test_pip_reads_nothing_but_what_is_allowed(tmp_path: Path, texts: list[str]) -> None:
    paths = []
    for number, text in enumerate([*texts, "flask>=1 ; python_version > '3'\n-i https://h/simple\n--pre\n"]):
        try:
            found = parse(text, allow_source_builds=False)
        except BadRequest:
            continue
        if found is not None:
            paths.append(tmp_path / f"{number}.txt")
            paths[-1].write_text("\n".join([*found.lines, ""]))
    for path, read in zip(paths, as_pip_reads(paths), strict=True):
        assert read["links"] == read["hosts"] == []
        assert all(index.startswith(("http://", "https://")) for index in read["indexes"])
        for one in read["found"]:
            assert (one["editable"], one["constraint"]) == (False, False)
            assert set(one["options"]) <= {"hashes"}
            assert one["link"] is None or one["link"].startswith("https://")
            assert f"-r {path} (line" in one["from"], "from no other file"
