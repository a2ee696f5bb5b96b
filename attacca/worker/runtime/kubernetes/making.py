"""The runtime for pods, where the settings name a cluster."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from attacca.errors import BadConfig
from attacca.kernel.clock import Clock
from attacca.model.function import Artefact, PodImage
from attacca.worker.runtime.kubernetes.access import access
from attacca.worker.runtime.kubernetes.api import Api, Server
from attacca.worker.runtime.kubernetes.options import IDENTITY, KubernetesOptions
from attacca.worker.runtime.kubernetes.runtime import KubernetesRuntime
from attacca.worker.runtime.process.description import Secret
from attacca.worker.runtime.types import Runtime

FILE = "kubernetes"  # in `directory`, where the settings give no identity


def pods(
    options: KubernetesOptions, space_mb: int, directory: Path, clock: Clock, secret: Secret
) -> Mapping[type[Artefact], Runtime]:
    """By the kind that it is for; nothing, where there is no cluster.

    Raises:
        BadConfig: there is no way to the one that the settings name.
    """
    if not options.is_on:
        return {}
    way, run = access(options, os.environ), os.urandom(4).hex()
    identity = options.identity or kept(directory / FILE)

    def connect() -> tuple[Server, str]:
        return Api(way), way.namespace

    return {PodImage: KubernetesRuntime(connect, options, clock, identity, run, space_mb, secret, home=way.home)}


def kept(path: Path) -> str:
    """The same at each start, and nobody else's.

    Raises:
        BadConfig: what is kept there is none.
    """
    try:
        identity = path.read_text().strip()
    except FileNotFoundError:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        identity = os.urandom(6).hex()
        path.write_text(identity + "\n")
    except (OSError, ValueError) as error:
        raise BadConfig(f"{path} cannot be read: {error}", "set kubernetes.identity") from None
    if not re.match(IDENTITY, identity):
        raise BadConfig(f"{path} holds {identity[:40]!r}, which no worker is called", "set kubernetes.identity")
    return identity
