"""What is asked of an API server and what it answers, as was recorded of a real one: the twin is held to it.

Of an answer that is kept which a worker reads, and what is another each time is left out.
"""

import json
from pathlib import Path
from typing import Any

from attacca.model.function import Network, PodImage, Revision, RuntimeKind, SecretAs, Settings, Signature
from attacca.worker.runtime.kubernetes import manifests, reach
from attacca.worker.runtime.kubernetes.api import PATCH, Declined, Server, lines
from attacca.worker.runtime.kubernetes.manifests import Owner
from attacca.worker.runtime.kubernetes.options import KubernetesOptions

RECORDED = Path(__file__).with_name("recorded.json")
STARTED, OVER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"
SELECTED = {"labelSelector": "attacca/worker=w"}
Exchange = dict[str, Any]


def revision(**settings: Any) -> Revision:
    told = Settings(name="f", memory_mb=64, runtime=RuntimeKind.KUBERNETES, image="x:1", **settings)
    return Revision(
        function="f", number=1, settings=told, handler="", signature=Signature.WSGI, artefact=PodImage("x:1")
    )


async def exchanged(server: Server, namespace: str) -> list[Exchange]:
    """`server` lets us be a kubelet too."""
    core, more = f"/api/v1/namespaces/{namespace}", f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies"
    pods, found = f"{core}/pods", Finding(server, namespace)
    await found.ask("GET", f"{core}/configmaps/attacca-w")
    made = await found.ask("POST", f"{core}/configmaps", manifests.standing("w", "r"))
    await found.ask("POST", f"{core}/configmaps", manifests.standing("w", "r"))
    owner = Owner("attacca-w", made["metadata"]["uid"], "w", "r")
    policies = reach.policies(owner, reach.callers(None, "there", "10.1.0.9"))
    told = revision(network=Network.NAT, allow=("192.0.2.0/24:443-445", "0.0.0.0/0:53/udp"))
    policies.append(reach.allowed("p", owner, told))
    for policy in policies:
        await found.ask("POST", more, policy)
    listed = await found.ask("GET", pods, **SELECTED, limit="500")
    told = revision(secrets={"KEY": SecretAs.ENV, "cert": SecretAs.FILE})
    secret = manifests.secret("p", owner, told, {"KEY": b"a", "cert": b"b"})
    await found.ask("POST", f"{core}/secrets", secret)
    pod = manifests.pod("p", owner, told, KubernetesOptions(image_pull_secret="s"), 64)
    await found.ask("POST", pods, pod)
    await found.ask("POST", pods, pod)
    wrong = manifests.pod("Not-A-Name", owner, told, KubernetesOptions(), 64)
    await found.ask("POST", pods, wrong)
    address = {"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}]}
    over = {"exitCode": 137, "reason": "OOMKilled", "startedAt": STARTED, "finishedAt": OVER}
    for status in (
        {"phase": "Running", **address, **_of({"running": {"startedAt": STARTED}})},
        {"phase": "Failed", **_of({"terminated": over})},
    ):
        await found.ask("PATCH", f"{pods}/p/status", {"status": status}, kind=PATCH)
    await found.ask("DELETE", f"{pods}/p", gracePeriodSeconds="0")
    await found.ask("DELETE", f"{pods}/p", gracePeriodSeconds="0")
    await found.ask("DELETE", f"{core}/secrets/p", gracePeriodSeconds="0")
    await found.watch(pods, 5, resourceVersion=listed["metadata"]["resourceVersion"])
    for policy in policies:
        await found.ask("DELETE", f"{more}/{policy['metadata']['name']}", gracePeriodSeconds="0")
    await found.ask("DELETE", f"{core}/configmaps/attacca-w", propagationPolicy="Background")
    await found.ask("GET", more, **SELECTED)
    return found.exchanges


class Finding:
    def __init__(self, server: Server, namespace: str) -> None:
        self._server, self._namespace = server, namespace
        self.exchanges: list[Exchange] = []

    def __repr__(self) -> str:
        return f"<Finding {len(self.exchanges)} exchanges>"

    async def ask(self, method: str, path: str, told: Any = None, **query: str) -> Any:
        try:
            answer = json.loads(await self._server.ask(method, path, told, **query))
            kept: Any = read(answer)
        except Declined as error:
            answer, kept = None, {"status": error.status, "reason": error.reason}
        self._keep(method, path, query, kept)
        return answer

    async def watch(self, path: str, count: int, **query: str) -> None:
        """The first events."""
        query |= {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": "5", **SELECTED}
        events: list[Any] = []
        try:
            async for line in lines(self._server.stream(path, quiet_s=10.0, **query)):
                event = json.loads(line)
                if event["type"] != "BOOKMARK":
                    events.append({"type": event["type"], "object": read(event["object"])})
                if len(events) == count:
                    break
        except Declined as error:
            events.append({"status": error.status, "reason": error.reason})
        self._keep("GET", path, {**query, "resourceVersion": "..."}, events)

    def _keep(self, method: str, path: str, query: dict[str, str], answer: Any) -> None:
        path = path.replace(f"/{self._namespace}/", "/NAMESPACE/")
        query.pop("kind", None)
        self.exchanges.append({"asked": f"{method} {path}", "query": query, "answer": answer})


def read(thing: Any) -> Any:
    """What a worker reads of it."""
    if "items" in thing:
        return {"kind": thing["kind"], "items": [read(one) for one in thing["items"]]}
    if thing["kind"] == "Status":
        return {key: thing[key] for key in ("kind", "status", "reason", "code") if key in thing}
    meta, status = thing["metadata"], thing.get("status", {})
    found = {
        "kind": thing["kind"],
        "name": meta["name"],
        "labels": meta.get("labels", {}),
        "owners": [one["name"] for one in meta.get("ownerReferences", ())],
    }
    if thing["kind"] == "Pod":
        found["status"] = {key: status[key] for key in ("phase", "podIP", "reason") if key in status}
        found["containers"] = [
            {"name": one["name"], "state": one["state"]} for one in status.get("containerStatuses", ())
        ]
    return found


def _of(state: Any) -> dict[str, Any]:
    of = {"name": "function", "image": "x:1", "imageID": "", "ready": False, "restartCount": 0}
    return {"containerStatuses": [{**of, "state": state}]}
