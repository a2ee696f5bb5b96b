"""What a program is told, and asked, by each of the contracts that an image may speak. Pure."""

import os
import re
from typing import Any

import msgspec

from attacca.errors import BadFunction
from attacca.model.function import HANDLER_MOST, EventShape, Network, Revision, Settings, Signature
from attacca.model.image import AGENTS, Contract, ImageConfig
from attacca.worker.runtime.container.agent_socket import PLACE, SOCKET
from attacca.worker.runtime.container.lambda_api import environment

HEALTH = {Contract.OPENFAAS: "/_/health", Contract.ILUVATAR: "/"}  # answered with 200 by who can take requests
SECRETS = "/run/secrets"
WATCHDOG_SECRETS = "/var/openfaas/secrets"
AGENT = ("gunicorn", "server:app")  # where an image of Ilúvatar's names no program
UNHEARD = 0  # gunicorn never hears from who is busy with the socket, and is to let it be
ANYWHERE = "0.0.0.0"
TASK_ROOT = "/var/task"
OTHER_ENGINE = "set container.engine of the server to crun, runc or containerd"
WORDS = re.compile(r"[\w-]+")


def configured(config: ImageConfig, contract: Contract | None) -> ImageConfig:
    """With the program that its contract has for who names none."""
    if contract in AGENTS and not config.entrypoint and not config.cmd:
        return msgspec.structs.replace(config, cmd=AGENT)
    return config


def variables(contract: Contract | None, config: ImageConfig, revision: Revision, port: int) -> dict[str, str]:
    match contract:
        case Contract.LAMBDA:
            told = environment(revision, revision.settings.handler or config.command[-1])
            return {"LAMBDA_TASK_ROOT": config.working_dir or TASK_ROOT, **told, **config.variables}
        case Contract.OPENFAAS:
            return {"port": str(port)}
        case Contract.ILUVATAR | Contract.ILUVATAR_UNIX:
            seconds = max(1, round(revision.settings.timeout_s)) if contract is Contract.ILUVATAR else UNHEARD
            arguments = f"--workers=1 --timeout={seconds} --bind={ANYWHERE}:{port}"
            told = {"__IL_PORT": str(port), "__IL_HOST": ANYWHERE, "__IL_SOCKET": SOCKET}
            return told | {"GUNICORN_CMD_ARGS": arguments}
        case _:
            return {}


def mounts(contract: Contract | None) -> list[dict[str, Any]]:
    """What there is besides: where an agent's socket lies."""
    if contract not in AGENTS:
        return []
    options = ["nosuid", "noexec", "nodev", "mode=1777", "size=64k"]
    return [{"destination": PLACE, "type": "tmpfs", "source": "sockets", "options": options}]


def secret_paths(contract: Contract | None, name: str) -> list[str]:
    """Where a secret lies that is a file."""
    places = (SECRETS, WATCHDOG_SECRETS) if contract is Contract.OPENFAAS else (SECRETS,)
    return [f"{place}/{name}" for place in places]


def signature(contract: Contract | None, *, is_asking: bool) -> Signature:
    """`is_asking`: it asks for its events."""
    if is_asking:
        return Signature.EVENT_CONTEXT
    return Signature.ARGS if contract in AGENTS else Signature.WSGI


def event(found: Signature, wanted: EventShape | None) -> EventShape:
    """A program that serves HTTP is told all of a request anyway."""
    return EventShape.PLAIN if wanted is None or found is Signature.WSGI else wanted


def expect_less(engine: str, contract: Contract | None, settings: Settings) -> None:
    """Of an engine that makes networks of its own, into which we cannot.

    Raises:
        BadFunction: more is wanted of one.
    """
    if contract is Contract.LAMBDA:
        raise BadFunction(f"{engine} runs no image that asks for its events", OTHER_ENGINE)
    if settings.network is Network.NAT:
        raise BadFunction(f'{engine} gives no network = "nat"', OTHER_ENGINE)


def named(command: tuple[str, ...]) -> str:
    """What a program is called, as a handler may be."""
    return ".".join(WORDS.findall(os.path.basename(command[0])))[:HANDLER_MOST].rstrip(".") or "image"
