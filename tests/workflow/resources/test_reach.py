import pytest

from attacca.errors import Forbidden
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
    from attacca.errors import NotFound
    from attacca.workflow.resources.file_log import FileLog

    classes = Classes(("file-log", "nothing"))
    assert (repr(classes), classes.find("file-log")) == ("<Classes 1 offered>", FileLog)
    with pytest.raises(NotFound, match="'http-ingress'"):
        classes.find("http-ingress")
