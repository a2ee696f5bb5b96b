from attacca.cli.app import load
from attacca.cli.serve.plane_options import Linked, Listening, Member, Working, said, split


def test_each_setting_has_the_option_that_gave_it() -> None:
    given = said(Listening(port=0), Member(name="w1"), Working(memory_mb=512))
    assert {name: value for name, value in given.items() if value[0] is not None} == {
        "port": (0, "--port"), "cluster.name": ("w1", "--name"), "memory_mb": (512, "--memory"),
    }  # fmt: skip
    assert given["host"] == (None, "--host")
    known = {name for param in load("worker").commands["run"].params for name in param.opts}
    assert {option for _, option in said(Listening(), Linked(), Member(), Working()).values()} <= known


def test_addresses_are_parted_by_commas() -> None:
    assert split("a:1, b:2,") == ["a:1", "b:2"]
    assert split(None) is None
