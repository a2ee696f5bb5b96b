import asyncio
import json
import re
from typing import Any

from attacca.worker.runtime.kubernetes.access import Access
from attacca.worker.runtime.kubernetes.api import Declined
from attacca.worker.runtime.kubernetes.looked import REVIEWS, WANTED, Looked, asked, look
from attacca.worker.runtime.kubernetes.options import KubernetesOptions
from attacca.worker.runtime.kubernetes.standing import LET_IN, RIGHTS, WAIT
from tests.trees import ROOT
from tests.worker.runtime.kubernetes.twin import Cluster, Desk

WAY = Access("10.0.0.1", 443, "", "shop")


class Reviewing(Desk):
    def __init__(
        self, *refused: str, fault: Declined | None = None, version: bytes = b'{"gitVersion":"v1.35.4"}'
    ) -> None:
        super().__init__(Cluster())
        self._refused, self._fault, self._version = refused, fault, version

    async def ask(self, method: str, path: str, told: Any = None, **_: Any) -> bytes:
        if self._fault is not None:
            raise self._fault
        if (method, path) == ("GET", "/version"):
            return self._version
        assert (method, path) == ("POST", REVIEWS)
        wanted = told["spec"]["resourceAttributes"]
        return json.dumps(
            {"status": {"allowed": f"{wanted['verb']} {wanted['resource']}" not in self._refused}}
        ).encode()


def looked(server: Desk) -> Looked:
    return asyncio.run(asked(server, WAY))


def test_what_a_doctor_says_of_a_cluster() -> None:
    where = "v1.35.4 at http://10.0.0.1:443, namespace shop"
    assert looked(Reviewing()) == Looked(is_fine=True, detail=where)
    assert looked(Reviewing("watch pods", "list secrets")) == Looked(
        is_fine=False, detail=f"{where}; it may not watch pods, list secrets", hint=RIGHTS
    )
    assert looked(Reviewing(fault=Declined("who is it?", 401))) == Looked(
        is_fine=False, detail="who is it?", hint=LET_IN
    )
    assert looked(Reviewing(fault=Declined("nobody", 0))) == Looked(is_fine=False, detail="nobody", hint=WAIT)
    assert looked(Reviewing(version=b"<html>")).detail == "what answers at http://10.0.0.1:443 is no API server"


def test_none_is_no_fault_and_a_missing_file_is() -> None:
    assert look(KubernetesOptions()).is_fine
    missing = look(KubernetesOptions(kubeconfig="/nowhere/config"))
    assert not missing.is_fine
    assert missing.detail == "/nowhere/config cannot be used: No such file or directory"


def test_the_role_in_deploy_allows_what_is_wanted_and_no_more() -> None:
    text = (ROOT / "deploy" / "kubernetes" / "role.yaml").read_text()
    rules = re.findall(r"apiGroups: \[(.*)\]\n +resources: \[(.*)\]\n +verbs: \[(.*)\]", text)
    wanted = [
        (group or '""', kind + ("/" if below else "") + below, ", ".join(verbs)) for group, kind, below, verbs in WANTED
    ]
    assert rules == wanted
