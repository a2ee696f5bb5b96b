"""What the first process of a micro-VM is told."""

import json
import secrets

import msgspec

from attacca.kernel.clock import Clock
from attacca.model.function import MicroVm, PythonDirectory, Revision
from attacca.worker.runtime.microvm.inside.words import Wake
from attacca.worker.runtime.process.description import Secret, describe
from attacca.worker.runtime.process.options import ProcessOptions

SEED_BYTES = 32


def words(clock: Clock, address: str, *, is_first: bool) -> Wake:
    """When it is, what chance it has, and where it is."""
    return {"wall_s": clock.wall(), "seed": secrets.token_hex(SEED_BYTES), "is_first": is_first, "address": address}


def order(revision: Revision, shared: ProcessOptions, secret: Secret, wake: Wake, *, is_template: bool) -> bytes:
    """What it is to be. The values of secrets are nowhere kept but in this.

    Raises:
        AttaccaError: a secret is not to be had.
    """
    artefact = revision.artefact
    assert isinstance(artefact, MicroVm), f"no micro-VM is made of {artefact.what}"
    of = msgspec.structs.replace(revision, artefact=PythonDirectory(artefact.code, artefact.bundle))
    spec = describe(of, shared, secret, None, template=is_template, has_groups=True)
    return json.dumps({**json.loads(spec), "processes": shared.processes, "wake": wake}).encode()
