"""Pods as the subject of the checks that every runtime passes."""

import asyncio
import os
from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec

from attacca.kernel.clock import SystemClock
from attacca.model.function import Network, PodImage, Revision, RuntimeKind, Settings, Signature
from attacca.worker.runtime.conformance import Doing
from attacca.worker.runtime.kubernetes.access import Access
from attacca.worker.runtime.kubernetes.api import Api
from attacca.worker.runtime.kubernetes.options import KubernetesOptions
from attacca.worker.runtime.kubernetes.runtime import KubernetesRuntime
from attacca.worker.runtime.process.description import Secret, no_secret

NAP_S = 0.05  # where the runtime would wait longer
IMAGE = "registry.example/python:1"


class PodSubject:
    """What a program raises is its own affair, and what it prints comes by another way than its answer."""

    raises = ""

    def __init__(
        self,
        access: Access,
        left: Callable[[], list[str]],
        cannot: Collection[Doing],
        networks: Mapping[Network, list[str]],
        secret: Secret = no_secret,
        **options: Any,
    ) -> None:
        self.cannot, self.networks = cannot, networks
        self._left = left
        told = msgspec.convert({"kubeconfig": "unread", **options}, KubernetesOptions)
        connect = lambda: (Api(access), access.namespace)  # noqa: E731 - of one line
        words = (connect, told, SystemClock(), "subject", os.urandom(4).hex())
        self.runtime = KubernetesRuntime(*words, secret=secret, nap=nap, home=access.home)

    def function(self, doing: Doing, concurrency: int = 1, network: Network = Network.NONE) -> Revision:
        return revision(f"{doing}-{concurrency}-{network}", doing, concurrency=concurrency, network=network)

    def leftovers(self) -> list[str]:
        return self._left()


async def nap(seconds: float) -> None:
    await asyncio.sleep(min(seconds, NAP_S))


def revision(name: str, doing: str = Doing.ECHO, image: str = IMAGE, **settings: Any) -> Revision:
    env = {"DOING": doing, **settings.pop("env", {})}
    told = Settings(name=name, memory_mb=64, runtime=RuntimeKind.KUBERNETES, image=image, env=env, **settings)
    return Revision(
        function=name, number=1, settings=told, handler="", signature=Signature.WSGI, artefact=PodImage(image)
    )
