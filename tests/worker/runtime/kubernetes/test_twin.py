import asyncio
import json

from tests.worker.runtime.kubernetes.exchanges import RECORDED, Finding, exchanged
from tests.worker.runtime.kubernetes.twin import Answered, Cluster, Desk, failure


def test_the_twin_answers_as_a_real_one_was_recorded() -> None:
    recorded = json.loads(RECORDED.read_text())
    cluster = Cluster()
    cluster.forget()
    found = asyncio.run(exchanged(Desk(cluster), "default"))
    for one, real in zip(found, recorded, strict=True):
        assert one == real, one["asked"]


def test_the_twin_refuses_what_it_does_not_know() -> None:
    assert Cluster().answer("GET", "/api/v1/nodes", {}, None) == Answered(
        404, failure(404, "NotFound", "the server could not find the requested resource").told
    )
    assert repr(Cluster()) == "<Cluster 0 things, version 100>"
    assert repr(Finding(Desk(Cluster()), "default")) == "<Finding 0 exchanges>"
