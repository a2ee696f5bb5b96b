"""An API server in memory, as far as pods are made through it: strict about what it is asked, and answers as
`recorded.json` says that a real one does."""

import asyncio
import copy
import itertools
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from attacca.worker.runtime.kubernetes.api import JSON, Declined

PATH = re.compile(
    r"/(?P<api>api/v1|apis/networking\.k8s\.io/v1)/namespaces/(?P<namespace>[a-z0-9-]+)/(?P<kind>[a-z]+)"
    r"(?:/(?P<name>[a-z0-9.-]+)(?:/(?P<below>log|status|binding))?)?"
)
KINDS = {
    "pods": ("v1", "Pod"),
    "secrets": ("v1", "Secret"),
    "configmaps": ("v1", "ConfigMap"),
    "networkpolicies": ("networking.k8s.io/v1", "NetworkPolicy"),
}
QUERIES = {  # that are known, of each kind of request
    "list": {"labelSelector", "limit", "continue"},
    "watch": {"watch", "allowWatchBookmarks", "labelSelector", "resourceVersion", "timeoutSeconds"},
    "get": set(),
    "log": {"container", "follow", "tailLines", "limitBytes"},
    "POST": set(),
    "PATCH": set(),
    "DELETE": {"gracePeriodSeconds", "propagationPolicy"},
}
NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
KEPT = 100  # events: who asks for what was before hears 410


class Answered(NamedTuple):
    status: int
    told: dict[str, Any]

    @property
    def body(self) -> bytes:
        return json.dumps(self.told).encode()


class Cluster:
    """`admit` may refuse a request before anything else looks at it; it is told method, path and query."""

    def __init__(self, namespace: str = "default") -> None:
        self.namespace = namespace
        self.things: dict[tuple[str, str], dict[str, Any]] = {}  # by kind and name
        self.logs: dict[str, bytes] = {}  # by pod
        self.asked: list[tuple[str, str]] = []
        self.admit: Callable[[str, str, dict[str, str]], Answered | None] = lambda *_: None
        self.version = 100
        self._events: list[tuple[int, str, str, dict[str, Any]]] = []
        self._forgotten = 0
        self._uids = itertools.count(1)
        self._news = asyncio.Event()

    def __repr__(self) -> str:
        return f"<Cluster {len(self.things)} things, version {self.version}>"

    def names(self, kind: str) -> list[str]:
        return sorted(name for of, name in self.things if of == kind)

    def forget(self) -> None:
        """What has happened so far can be watched no more."""
        self._events.clear()
        self._forgotten = self.version

    # requests

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> Answered:
        found = PATH.fullmatch(path)
        if found is None or found["kind"] not in KINDS or found["namespace"] != self.namespace:
            return failure(404, "NotFound", "the server could not find the requested resource")
        kind, name, below = found["kind"], found["name"], found["below"]
        what = ("log" if below == "log" else "get" if name else "list") if method == "GET" else method
        assert set(query) <= QUERIES[what], f"{method} {path} {query}"
        self.asked.append((method, path))
        if (refused := self.admit(method, path, query)) is not None:
            return refused
        if method == "POST" and name is None:
            return self._create(kind, body)
        thing = self.things.get((kind, name))
        if name is not None and thing is None:
            return failure(404, "NotFound", f'{kind} "{name}" not found')
        if method == "GET":
            return self._listed(kind, query) if thing is None else Answered(200, thing)
        assert thing is not None, f"{method} {path}"
        if method == "DELETE":
            is_graceful = query.get("gracePeriodSeconds") is None
            return self._delete(kind, name, thing, is_graceful=is_graceful)
        if method == "PATCH":
            return self._patch(kind, name, merged(thing, body))
        raise AssertionError(f"{method} {path}")

    def _create(self, kind: str, body: Any) -> Answered:
        api, what = KINDS[kind]
        meta = body["metadata"]
        name = meta["name"]
        assert (body["apiVersion"], body["kind"]) == (api, what), body
        if not NAME.fullmatch(name):
            return failure(422, "Invalid", f'{what} "{name}" is invalid: metadata.name')
        if (kind, name) in self.things:
            return failure(409, "AlreadyExists", f'{kind} "{name}" already exists')
        for owner in meta.get("ownerReferences", ()):
            assert set(owner) == {"apiVersion", "kind", "name", "uid"}, owner
        thing = copy.deepcopy(body)
        thing["metadata"] |= {"namespace": self.namespace, "uid": f"uid-{next(self._uids)}"}
        if kind == "pods":
            thing["status"] = {"phase": "Pending", "qosClass": "Burstable"}
        self._put(kind, name, thing, "ADDED")
        return Answered(201, self.things[kind, name])

    def _delete(self, kind: str, name: str, thing: dict[str, Any], *, is_graceful: bool) -> Answered:
        thing = copy.deepcopy(thing)
        if kind == "pods":
            if "deletionTimestamp" not in thing["metadata"]:
                thing["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
                self._put(kind, name, thing, "MODIFIED")
            if is_graceful and thing["status"]["phase"] == "Running":
                return Answered(200, thing)  # its kubelet deletes it, when it has ended
        del self.things[kind, name]
        self.version += 1
        thing = copy.deepcopy(thing)
        thing["metadata"]["resourceVersion"] = str(self.version)
        self._say(kind, "DELETED", thing)
        if kind == "configmaps":  # whose garbage is collected
            uid = thing["metadata"]["uid"]
            for (of, its), one in list(self.things.items()):
                if any(owner["uid"] == uid for owner in one["metadata"].get("ownerReferences", ())):
                    self._delete(of, its, one, is_graceful=True)
        told = thing if kind == "pods" else {"kind": "Status", "apiVersion": "v1", "status": "Success"}
        return Answered(200, told)

    def _patch(self, kind: str, name: str, thing: dict[str, Any]) -> Answered:
        self._put(kind, name, thing, "MODIFIED")
        return Answered(200, thing)

    def _listed(self, kind: str, query: dict[str, str]) -> Answered:
        there = [self.things[kind, name] for name in self.names(kind)]
        there = [one for one in there if selects(query.get("labelSelector", ""), one)]
        first, most = int(query.get("continue") or 0), int(query.get("limit") or len(there) or 1)
        metadata = {"resourceVersion": str(self.version)}
        if first + most < len(there):
            metadata["continue"] = str(first + most)
        api, what = KINDS[kind]
        page = there[first : first + most]
        return Answered(200, {"kind": f"{what}List", "apiVersion": api, "metadata": metadata, "items": page})

    # what happens

    def _put(self, kind: str, name: str, thing: dict[str, Any], what: str) -> None:
        self.version += 1
        thing["metadata"]["resourceVersion"] = str(self.version)
        self.things[kind, name] = thing
        self._say(kind, what, copy.deepcopy(thing))

    def _say(self, kind: str, what: str, thing: dict[str, Any]) -> None:
        self._events.append((self.version, kind, what, thing))
        if len(self._events) > KEPT:
            self._forgotten = self._events.pop(0)[0]
        self._news.set()
        self._news = asyncio.Event()

    def patch_pod(self, name: str, status: dict[str, Any]) -> None:
        """As its kubelet does it."""
        self._patch("pods", name, merged(self.things["pods", name], {"status": status}))

    async def watch(self, kind: str, query: dict[str, str]) -> AsyncIterator[bytes]:
        """Lines."""
        assert set(query) <= QUERIES["watch"], query
        version = int(query["resourceVersion"])
        while True:
            if version < self._forgotten:
                told = failure(410, "Expired", f"too old resource version: {version} ({self._forgotten})").told
                yield json.dumps({"type": "ERROR", "object": told}).encode() + b"\n"
                return
            news = self._news
            for at, of, what, thing in list(self._events):
                if at > version and of == kind and selects(query.get("labelSelector", ""), thing):
                    version = at
                    yield json.dumps({"type": what, "object": thing}).encode() + b"\n"
            await news.wait()


class Desk:
    """Implements `Server`, without a network between."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.address = cluster, "10.1.0.9"
        self.is_closed = False
        self.streams = 0

    async def ask(self, method: str, path: str, told: object = None, *, kind: str = JSON, **query: str) -> bytes:
        del kind
        await asyncio.sleep(0)
        answered = self.cluster.answer(method, path, query, json.loads(json.dumps(told)))
        if answered.status >= 400:
            raise declined(answered)
        return self.cluster.logs.get(path.split("/")[-2], b"") if path.endswith("/log") else answered.body

    async def stream(self, path: str, *, quiet_s: float, **query: str) -> AsyncIterator[bytes]:
        assert quiet_s > 0
        self.streams += 1
        if (refused := self.cluster.admit("GET", path, query)) is not None:
            raise declined(refused)
        if path.endswith("/log"):
            name = path.split("/")[-2]
            if ("pods", name) not in self.cluster.things:
                raise declined(failure(404, "NotFound", f'pods "{name}" not found'))
            yield self.cluster.logs.get(name, b"")
            return
        async for line in self.cluster.watch(path.rpartition("/")[2], query):
            yield line

    async def close(self) -> None:
        self.is_closed = True


def declined(answered: Answered) -> Declined:
    told = answered.told
    message = f"the API server answers {answered.status}: {told.get('message', '')}"
    return Declined(message, answered.status, told.get("reason", ""))


def failure(code: int, reason: str, message: str) -> Answered:
    told = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return Answered(code, {**told, "message": message, "reason": reason, "code": code})


def merged(thing: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    found = copy.deepcopy(thing) if isinstance(thing, dict) else {}
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        else:
            found[key] = merged(found.get(key), value)
    return found


def selects(selector: str, thing: dict[str, Any]) -> bool:
    labels = thing["metadata"].get("labels", {})
    return all(labels.get(key) == value for key, _, value in (one.partition("=") for one in selector.split(",") if one))


def query_of(text: str) -> dict[str, str]:
    return dict(parse_qsl(text, keep_blank_values=True))
