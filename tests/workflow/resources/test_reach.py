from pathlib import Path

import pytest

from attacca.errors import BadConfig, Forbidden, NotFound
from attacca.workflow.resources.file_log import FileLog
from attacca.workflow.resources.making import Classes
from attacca.workflow.resources.reach import Reach

NEAR = ["127.0.0.1", "::1", "169.254.169.254", "fe80::1%eth0", "0.0.0.0", "::ffff:127.0.0.1", "224.0.0.1"]
FAR = ["10.0.0.1", "93.184.216.34", "2001:db8::1"]


def test_the_machine_itself_and_its_link_are_not_for_resources() -> None:
    assert Reach().expect("a.b", [*NEAR, *FAR]) == FAR
    with pytest.raises(Forbidden, match="may not speak to 'localhost'"):
        Reach().expect("localhost", NEAR)


@pytest.mark.parametrize(
    ("hosts", "found"),
    [
        (("*",), [*NEAR, *FAR]),
        (("name",), [*NEAR, *FAR]),
        (("other", "127.0.0.0/8"), ["127.0.0.1", "::ffff:127.0.0.1", *FAR]),
    ],
)
def test_whoever_runs_the_node_can_allow_more(hosts: tuple[str, ...], found: list[str]) -> None:
    assert Reach(hosts).expect("Name.", [*NEAR, *FAR]) == found


def test_or_these_alone() -> None:
    assert Reach(("10.0.0.0/8",), is_only=True).expect("a.b", [*NEAR, *FAR]) == ["10.0.0.1"]
    with pytest.raises(Forbidden):
        Reach((), is_only=True).expect("a.b", FAR)


def test_a_node_may_offer_some_classes_only() -> None:

    classes = Classes(("file-log", "nothing"))
    assert (repr(classes), classes.find("file-log")) == ("<Classes 1 offered>", FileLog)
    with pytest.raises(NotFound, match="'http-ingress'"):
        classes.find("http-ingress")


STRANGER = """
class Stranger:
    def __init__(self, configuration, host): ...
"""


def test_a_class_of_others_is_an_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "strange_resources.py").write_text(STRANGER)
    (tmp_path / "strange-1.dist-info").mkdir()
    (tmp_path / "strange-1.dist-info" / "METADATA").write_text("Name: strange\nVersion: 1\n")
    points = "[attacca.workflow.resources]\nstrange = strange_resources:Stranger\nlost = strange_resources:Lost\n"
    (tmp_path / "strange-1.dist-info" / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(tmp_path))
    classes = Classes()
    assert classes.find("strange").__name__ == "Stranger"
    with pytest.raises(BadConfig, match="the resource lost cannot be loaded"):
        classes.find("lost")
