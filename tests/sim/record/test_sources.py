from pathlib import Path

import msgspec
import pytest

import attacca
from attacca.load.workload.scenario import Choice, FunctionPlan, Scenario, System, Workload
from attacca.sim.record.sources import DIGESTING, NOT_COUNTED, digest_of, files, imported
from attacca.sim.study.grid import expand, parse
from attacca.sim.study.job import mark_of
from tests.trees import imported as imported_by
from tests.trees import modules

POLICY = "import mine_rules.weights\nfrom mine_rules import limits\nimport msgspec, json\n\nclass Mine: ...\n"
EDITED = ["mine_policy.py", "mine_rules/__init__.py", "mine_rules/deep.py", "mine_rules/weights.py", "mine_late.py"]
PLAIN = Scenario(name="one", workload=Workload(duration_s=10.0), functions=(FunctionPlan(name="f"),))


def test_all_that_a_simulation_imports_decides_it() -> None:
    texts = modules()
    reached, left = set[str](), ["attacca.sim.run"]
    while left:
        module = left.pop()
        if module not in reached:
            reached.add(module)
            left += imported_by(texts[module], texts)
    names = [module.removeprefix("attacca.").replace(".", "/") + ".py" for module in reached]
    assert [name for name in names if name.startswith(NOT_COUNTED)] == []


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mine_policy.py").write_text(POLICY)
    (tmp_path / "mine_rules").mkdir()
    (tmp_path / "mine_rules/__init__.py").write_text("")
    (tmp_path / "mine_rules/limits.py").write_text("from . import deep\n")
    (tmp_path / "mine_rules/deep.py").write_text("MOST = 3\n")
    (tmp_path / "mine_rules/weights.py").write_text("def of():\n    import mine_late\n    return 1\n")
    (tmp_path / "mine_rules/unused.py").write_text("")
    (tmp_path / "mine_late.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    digest_of.cache_clear()
    return tmp_path


def using(policy: str) -> Scenario:
    return msgspec.structs.replace(PLAIN, system=System(keepalive=Choice(policy=policy)))


@pytest.mark.usefixtures("place")
def test_what_a_plugin_brings_counts_and_what_others_have_published_does_not() -> None:
    names = ["mine_late", "mine_policy", "mine_rules", "mine_rules.deep", "mine_rules.limits", "mine_rules.weights"]
    assert sorted(files("mine_policy")) == names


@pytest.mark.parametrize(
    "edited",
    ["mine_policy.py", "mine_rules/__init__.py", "mine_rules/deep.py", "mine_late.py", "mine_rules/weights.py"],
)
def test_an_edit_starts_afresh_wherever_it_is(place: Path, edited: str) -> None:
    before = mark_of(using("mine_policy:Mine"))
    assert mark_of(using("mine_policy:Mine")) == before
    with (place / edited).open("a") as file:
        file.write("# other\n")
    digest_of.cache_clear()  # another process
    assert mark_of(using("mine_policy:Mine")) != before


def test_an_edit_of_what_nobody_imports_changes_nothing(place: Path) -> None:
    before = mark_of(using("mine_policy:Mine"))
    (place / "mine_rules/unused.py").write_text("1\n")
    digest_of.cache_clear()
    assert mark_of(using("mine_policy:Mine")) == before


def test_only_those_who_use_it_start_afresh(place: Path) -> None:
    def marks() -> list[str]:
        digest_of.cache_clear()
        return [cell.mark for cell in expand(PLAIN, [parse("keepalive=lru,mine_policy:Mine")], [1], mark_of)]

    before = marks()
    (place / "mine_policy.py").write_text("class Mine: ...\n")
    after = marks()
    assert (before[0] == after[0], before[1] == after[1]) == (True, False)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a.b", ["a", "a.b"]),
        ("from .c import d", ["p", "p.c", "p.c.d"]),
        ("from .. import e", ["", "e"][1:]),
        ("import importlib\nimportlib.import_module('x.y')", ["importlib", "x", "x.y"]),
        ("__import__('z')", ["z"]),
        ("this is no Python", []),
    ],
)
def test_imports_are_read_from_the_source(source: str, names: list[str]) -> None:
    assert imported(source.encode(), "p") == names


def test_what_is_not_counted_exists_and_what_is_simulated_is_counted() -> None:
    package = Path(attacca.__file__).parent
    names = [path.relative_to(package).as_posix() for path in package.rglob("*.py")]
    assert [prefix for prefix in NOT_COUNTED if not any(name.startswith(prefix) for name in names)] == []
    assert set(DIGESTING) <= set(names)
    counted = [name for name in names if not name.startswith(NOT_COUNTED)]
    assert {f"{plane}/core/{plane}.py" for plane in ("gateway", "control", "worker")} <= set(counted)
