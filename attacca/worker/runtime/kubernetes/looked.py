"""Whether the cluster of the settings can be reached, and what its API server would refuse: for `attacca doctor`."""

import asyncio
import os
from typing import NamedTuple

import msgspec

from attacca.errors import BadConfig
from attacca.worker.runtime.kubernetes.access import Access, access
from attacca.worker.runtime.kubernetes.api import Api, Declined, Server
from attacca.worker.runtime.kubernetes.options import KubernetesOptions
from attacca.worker.runtime.kubernetes.standing import RIGHTS, start_failed

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
WANTED = (  # group, resource, below it, verbs
    ("", "pods", "", ("create", "delete", "list", "watch")),
    ("", "pods", "log", ("get",)),
    ("", "configmaps", "", ("create", "delete", "get")),
    ("", "secrets", "", ("create", "delete", "list")),
    ("networking.k8s.io", "networkpolicies", "", ("create", "delete", "list")),
)


class Looked(NamedTuple):
    is_fine: bool
    detail: str
    hint: str = ""


class Version(msgspec.Struct, frozen=True, rename="camel"):
    git_version: str = ""


class Allowed(msgspec.Struct, frozen=True):
    allowed: bool = False


class Review(msgspec.Struct, frozen=True):
    status: Allowed = Allowed()


def look(options: KubernetesOptions) -> Looked:
    """Blocking, for as long as an API server takes to answer."""
    if not options.is_on:
        return Looked(is_fine=True, detail="none: neither kubernetes.kubeconfig nor kubernetes.in_cluster is set")
    try:
        way = access(options, os.environ)
    except BadConfig as error:
        return Looked(is_fine=False, detail=error.message, hint=error.hint)
    return asyncio.run(_looked(way))


async def _looked(way: Access) -> Looked:
    server = Api(way)
    try:
        return await asked(server, way)
    finally:
        await server.close()


async def asked(server: Server, way: Access) -> Looked:
    try:
        version = msgspec.json.decode(await server.ask("GET", "/version"), type=Version).git_version
        missing = [what for one in WANTED for what in await _missing(server, way.namespace, *one)]
    except Declined as error:
        return Looked(is_fine=False, detail=error.message, hint=start_failed(error).hint)
    except msgspec.MsgspecError:
        return Looked(is_fine=False, detail=f"what answers at {way.shown} is no API server", hint="see its address")
    there = f"{version} at {way.shown}, namespace {way.namespace}"
    if missing:
        return Looked(is_fine=False, detail=f"{there}; it may not {', '.join(missing)}", hint=RIGHTS)
    return Looked(is_fine=True, detail=there)


async def _missing(
    server: Server, namespace: str, group: str, kind: str, below: str, verbs: tuple[str, ...]
) -> list[str]:
    found = []
    for verb in verbs:
        asked = {"namespace": namespace, "group": group, "resource": kind, "subresource": below, "verb": verb}
        told = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
        raw = await server.ask("POST", REVIEWS, {**told, "spec": {"resourceAttributes": asked}})
        if not msgspec.json.decode(raw, type=Review).status.allowed:
            found.append(f"{verb} {kind}{'/' if below else ''}{below}")
    return found
