"""What an API server is told: of a pod, its secrets, and what stands for a worker. Pure."""

import base64
import hashlib
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from attacca.model.function import PodImage, Revision, SecretAs
from attacca.worker.runtime.container.contracts import SECRETS, WATCHDOG_SECRETS
from attacca.worker.runtime.kubernetes.facts import NAME
from attacca.worker.runtime.kubernetes.options import KubernetesOptions

PORT = 8080
WORKER, RUN, FUNCTION, REVISION, NETWORK, POD = (
    f"attacca/{what}" for what in ("worker", "run", "function", "revision", "network", "pod")
)
MANAGED = {"app.kubernetes.io/managed-by": "attacca"}
GRACE_S = 30  # at most, when its node is drained
LOGS_MB = 64  # which the cluster keeps beside what a pod writes
ALLOWED = "allow"  # the network of one that has a policy of its own, of the pod's name


class Owner(NamedTuple):
    """A ConfigMap that stands for a worker: what names it as its owner is gone soon after it."""

    name: str
    uid: str
    identity: str
    run: str  # of this start of the worker

    @property
    def labels(self) -> dict[str, str]:
        return {**MANAGED, WORKER: self.identity, RUN: self.run}

    @property
    def reference(self) -> dict[str, Any]:
        return {"apiVersion": "v1", "kind": "ConfigMap", "name": self.name, "uid": self.uid}


def owner_name(identity: str) -> str:
    return f"attacca-{identity}"


def standing(identity: str, run: str) -> dict[str, Any]:
    labels = {**MANAGED, WORKER: identity, RUN: run}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": owner_name(identity), "labels": labels}}


def pod_name(owner: Owner, revision: Revision, sandbox: str) -> str:
    """Of at most 63 characters, and another for each sandbox of each start of a worker."""
    mark = hashlib.sha256(f"{owner.run}/{sandbox}".encode()).hexdigest()[:12]
    return f"{owner.name}-{revision.function[:24].rstrip('-')}-{mark}"[-63:].lstrip("-")


def pod(
    name: str,
    owner: Owner,
    revision: Revision,
    options: KubernetesOptions,
    space_mb: int,
) -> dict[str, Any]:
    """The function's secrets lie in a Secret of the pod's own name."""
    settings, artefact = revision.settings, revision.artefact
    assert isinstance(artefact, PodImage), f"no pod is made of {artefact.what}"
    told = {"PORT": str(PORT), **settings.env}
    hidden, files = settings.secrets_as(SecretAs.ENV), settings.secrets_as(SecretAs.FILE)
    limits = {"memory": f"{settings.memory_mb}Mi", "ephemeral-storage": f"{space_mb + LOGS_MB}Mi"}
    if settings.cpus is not None:
        limits["cpu"] = f"{max(1, round(settings.cpus * 1000))}m"
    container: dict[str, Any] = {
        "name": NAME,
        "image": artefact.reference,
        "ports": [{"containerPort": PORT}],
        "env": [{"name": key, "value": escaped(value)} for key, value in told.items()]
        + [{"name": key, "valueFrom": {"secretKeyRef": {"name": name, "key": key}}} for key in hidden],
        "resources": {"limits": limits, "requests": limits},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": not options.root,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }
    volumes: list[dict[str, Any]] = [{"name": "tmp", "emptyDir": {"sizeLimit": f"{space_mb}Mi"}}]
    if files:
        items = [{"key": one, "path": one, "mode": 0o444} for one in files]
        volumes.append({"name": "secrets", "secret": {"secretName": name, "items": items}})
        container["volumeMounts"] += [
            {"name": "secrets", "mountPath": place, "readOnly": True} for place in (SECRETS, WATCHDOG_SECRETS)
        ]
    spec: dict[str, Any] = {
        "containers": [container],
        "volumes": volumes,
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": min(math.ceil(settings.timeout_s), GRACE_S),
        "securityContext": {"runAsNonRoot": not options.root, "seccompProfile": {"type": "RuntimeDefault"}},
    }
    if options.image_pull_secret is not None:
        spec["imagePullSecrets"] = [{"name": options.image_pull_secret}]
    if options.service_account is not None:
        spec["serviceAccountName"] = options.service_account
    if options.runtime_class is not None:
        spec["runtimeClassName"] = options.runtime_class
    return {"apiVersion": "v1", "kind": "Pod", "metadata": owned(name, owner, revision), "spec": spec}


def secret(name: str, owner: Owner, revision: Revision, values: Mapping[str, bytes]) -> dict[str, Any]:
    data = {key: base64.b64encode(value).decode() for key, value in values.items()}
    return {
        "apiVersion": "v1", "kind": "Secret", "metadata": owned(name, owner, revision), "immutable": True, "data": data
    }  # fmt: skip


def owned(name: str, owner: Owner, revision: Revision) -> dict[str, Any]:
    labels = {
        **owner.labels,
        FUNCTION: revision.function,
        REVISION: str(revision.number),
        NETWORK: ALLOWED if revision.settings.allow else revision.settings.network.value,
        POD: name,
    }
    return {"name": name, "labels": labels, "ownerReferences": [owner.reference]}


def escaped(value: str) -> str:
    """As it is: `$(NAME)` would have another variable's value put in its place."""
    return value.replace("$(", "$$(")


def selector(identity: str) -> str:
    return f"{WORKER}={identity}"
