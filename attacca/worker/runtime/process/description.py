"""What a process that the zygote has forked is told: from a revision, the server's options, and its secrets."""

import json
import os
from collections.abc import Callable
from pathlib import Path

from attacca.errors import BadFunction, IsolationMissing, SecretMissing
from attacca.model.function import Artefact, Network, PythonDirectory, Revision, SecretAs, Signature
from attacca.model.image import UnpackedImage
from attacca.worker.runtime.process.options import ProcessOptions
from attacca.worker.runtime.process.zygote.spawn_spec import AT_HOME, FOUNDER, NEW_HOME, SpawnSpec

DEVICES = "NVIDIA_VISIBLE_DEVICES"  # as the worker has set it
PATH = "/usr/local/bin:/usr/bin:/bin"  # of an image that says none
SIGNALS = 1024  # queued, and timers, in one sandbox
Secret = Callable[[str], bytes]  # the value of a name; raises an AttaccaError when there is none to be had


def no_secret(name: str) -> bytes:
    raise SecretMissing(f"the secret {name} is not set", f"attacca secret set {name}")


def describe(
    revision: Revision,
    options: ProcessOptions,
    secret: Secret,
    places: tuple[Path, Path] | None,
    image: UnpackedImage | None = None,
    *,
    template: bool,
    has_groups: bool,
    place: tuple[int, int] = (0, 0),
) -> bytes:
    """`places` hold code and bundles where there is no isolation; `image` is what its artefact is of. The values of
    secrets are nowhere kept but in this. `place` has its network and its home, as `spawn_spec.BIRTH` has them.

    Raises:
        AttaccaError: a secret is not to be had.
    """
    settings, artefact = revision.settings, revision.artefact
    if settings.publish:
        raise BadFunction("publish is of containers, and this runs as a process", "leave it out, or deploy an image")
    if settings.network is Network.NAT and places is not None:
        raise IsolationMissing(
            'network = "nat" needs isolation: without it, nothing keeps a function to its network',
            'deploy with network = "host", or start the server without --isolation none',
        )
    if places is not None and image is not None:
        raise IsolationMissing("Python in an image needs isolation", "start the server without --isolation none")
    code, bundle = code_of(artefact, places, image)
    limits = _limits(settings.memory_mb, options, is_isolated=places is None, has_groups=has_groups)
    spec = SpawnSpec(
        template=template,
        function=revision.function,
        runtime=str(settings.runtime),
        revision=revision.number,
        code=code,
        image=Path(image.rootfs).name if image is not None else "",
        bundle=bundle,
        handler=revision.handler,
        signature="" if template and revision.signature is not Signature.EVENTS else str(revision.signature),
        event=str(settings.event or "") if template else str(revision.event),
        env=variables_of(image) | settings.env | variables(revision, secret),
        secrets=files(revision, secret, has_files=places is None),
        memory_mb=settings.memory_mb,
        import_s=options.start_timeout_s,
        timeout_s=settings.timeout_s,
        concurrency=settings.concurrency,
        devices=[] if template else devices(revision),
        host_network=settings.network is Network.HOST,
        is_connected=place[0] != 0,
        home=FOUNDER if place[1] & NEW_HOME else AT_HOME if place[1] else "",
        is_plugged=settings.network is Network.NAT,
        space_mb=min(options.space_mb, settings.memory_mb),
        limits=limits,
        max_body=options.max_response_mb << 20,
        max_log=options.max_log_kb << 10,
        is_traced=bool(options.is_traced),
    )
    return json.dumps(spec).encode()


def _limits(memory_mb: int, options: ProcessOptions, *, is_isolated: bool, has_groups: bool) -> dict[str, int]:
    """See `SpawnSpec.limits`."""
    limits = {"CORE": 0, "NOFILE": options.open_files, "FSIZE": options.space_mb << 20}
    limits |= {"SIGPENDING": SIGNALS, "MSGQUEUE": 0}  # which all of a user's processes share
    if is_isolated:  # a user namespace of its own counts its own processes; otherwise it would count the user's
        limits["NPROC"] = options.processes
    if not has_groups:
        limits["DATA"] = memory_mb << 21  # the watchdog is exact, this is fast
    return limits


def code_of(
    artefact: Artefact, places: tuple[Path, Path] | None, image: UnpackedImage | None
) -> tuple[str, str | None]:
    """Where the code begins, and its bundle."""
    if image is not None:
        return os.path.join("/", image.config.working_dir or "/"), None
    assert isinstance(artefact, PythonDirectory), f"no process is made of {artefact.what}"
    code, bundle = artefact.code, artefact.bundle
    if places is None:
        return code, bundle
    return str(places[0] / code), str(places[1] / bundle) if bundle else None


def variables_of(image: UnpackedImage | None) -> dict[str, str]:
    """What an image says of its environment, where there is one."""
    return {} if image is None else {"PATH": PATH} | image.config.variables


def variables(revision: Revision, secret: Secret) -> dict[str, str]:
    """Any bytes but NUL, in the way in which Python has them in an environment."""
    found = {}
    for name in revision.settings.secrets_as(SecretAs.ENV):
        value = secret(name)
        if b"\0" in value:
            raise BadFunction(f"the secret {name} contains a NUL, which no variable can", f'write {name} = "file"')
        found[name] = value.decode(errors="surrogateescape")
    return found


def devices(revision: Revision) -> list[str]:
    """The numbers of the files of the accelerators that its sandbox was given."""
    given = revision.settings.env.get(DEVICES, "") if revision.settings.gpu else ""
    return [number for number in given.split(",") if number]


def files(revision: Revision, secret: Secret, *, has_files: bool) -> dict[str, str]:
    names = revision.settings.secrets_as(SecretAs.FILE)
    if names and not has_files:
        raise BadFunction(
            f"the secret {names[0]} cannot be a file: without isolation there is no place for it",
            f'write {names[0]} = "env", or start the server without --isolation none',
        )
    return {name: secret(name).decode("latin-1") for name in names}
