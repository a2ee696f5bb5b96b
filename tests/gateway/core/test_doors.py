"""Doors of workflows: functions that no catalogue names, with the one sandbox that control tells of."""

import msgspec

from attacca.gateway.core.events import Tick
from attacca.model.doors import Door, Doors
from attacca.model.endpoints import Endpoints
from attacca.model.invocation import Ok
from attacca.model.messages import Catalogue
from tests.gateway.core.clustered import clustered, stage
from tests.gateway.stage import Stage, dispatched


def door(name: str = "w.door", sandbox: str = "w.door.1", **more: object) -> Door:
    made = msgspec.structs.replace(clustered("demo", concurrency=2), function=name)
    return msgspec.structs.replace(Door(made, "worker", sandbox), **more)


def where(g: Stage, now: float, name: str, function: str = "w.door") -> str:
    g.said.clear()
    g.invoke(now, name, function)
    return dispatched(g.said[0]).sandbox


def test_a_door_is_a_function_until_it_is_closed() -> None:
    g = stage()
    g.tell(1.0, Doors((door(),)))
    assert where(g, 1.0, "1") == "w.door.1"
    g.tell(1.1, Catalogue(2, (clustered("f"),)))
    g.tell(1.1, Endpoints(2, ()))
    assert where(g, 1.2, "2") == "w.door.1", "what control tells of all else changes nothing"
    assert repr(g.core.doors) == "<Doors 1, 0 by their own address>"
    g.tell(1.3, Doors(()))
    assert (set(g.core.functions.by_name), g.core.cluster.by_sandbox, g.core.cluster.fixed) == ({"f"}, {}, set())


def test_where_its_instance_moves_who_waits_goes_with_it() -> None:
    g = stage()
    g.tell(1.0, Doors((door(),)))
    for name in "123":
        g.invoke(1.0, name, "w.door")
    g.said.clear()
    g.tell(1.1, Doors((door(sandbox="w.door.2"),)))
    assert [dispatched(one).sandbox for one in g.said] == ["w.door.2"], "the third has a slot there"
    g.start(1.2, "1")
    g.end(1.2, Ok(b""), "1", 5.0)
    assert g.core.cluster.by_sandbox.keys() == {"w.door.2"}


def test_one_that_is_not_told_of_yet_may_be_open() -> None:
    g = stage()
    g.tell(1.0, Doors((door(), door("w.other", "w.other.1"))))
    g.tell(1.1, Doors((door(),), is_whole=False))
    assert where(g, 1.2, "1", "w.other") == "w.other.1"


def test_who_is_given_up_leaves_it_to_others() -> None:
    g = stage()
    g.tell(1.0, Doors((door(),)))
    g.invoke(1.0, "1", "w.door")
    g.start(1.0, "1")
    g.tell(40.0, Tick())
    assert "1" not in g.core.inflight, "its time is over"
    assert where(g, 40.0, "2") == "w.door.1"


def test_the_most_exact_that_fits_is_found() -> None:
    g = stage()
    doors = {
        "any": door("w.any", "1", host="a.b"),
        "posts": door("w.posts", "2", host="a.b", path="/x", methods=("POST",)),
        "path": door("w.path", "3", path="/x/y/"),
        "none": door("w.none", "4"),
    }
    g.tell(1.0, Doors(tuple(doors.values())))
    assert g.core.doors.has_any()
    found = {
        ("a.b", "/", "GET"): "any", ("a.b", "/x", "POST"): "posts", ("a.b", "/x/y", "GET"): "any",
        ("c", "/x/y", "GET"): "path", ("c", "/x/y/z", "PUT"): "path", ("c", "/x/yz", "GET"): "", ("c", "/", "GET"): "",
    }  # fmt: skip
    for (host, path, method), expected in found.items():
        assert g.core.doors.find(host, path, method) == doors.get(expected), (host, path)
    only = stage()
    only.tell(1.0, Doors((doors["posts"],)))
    assert only.core.doors.find("a.b", "/x", "GET") == doors["posts"], "it says itself that it is not for that"


def test_replicas_share_what_comes() -> None:
    g = stage()
    both = (door(), door(sandbox="w.door-2.1"))
    g.tell(1.0, Doors(both))
    assert {where(g, 1.0, name) for name in "1234"} == {"w.door.1", "w.door-2.1"}
    g.tell(1.1, Doors(both[1:]))
    assert g.core.cluster.fixed == {"w.door-2.1"}
