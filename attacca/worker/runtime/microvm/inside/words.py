"""What a worker and the first process of a micro-VM say to each other, on a port of their own.

    VM:  HALL ── it is up                     worker:  ORDER ── what to be, a `VmSpec` as JSON
    VM:  READY or FAILED ── the import        worker:  GO    ── a `Wake` as JSON: from here on it is one of a kind
    VM:  HALL ── it knows the time            worker:  RESUME ── a `Wake` as JSON: it was stopped, and goes on
    VM:  ENDED ── an `End` as JSON: its function's process is gone, and so will it be

Before each word of the worker its memory may be saved. Who is restored from there hears that word, and others do, too.
"""

from typing import TypedDict

from attacca.worker.runtime.process.zygote.spawn_spec import SpawnSpec

CONTROL, AGENT, OUTPUT = "control", "agent", "output"  # names of the ports
PORTS = {CONTROL: 11, AGENT: 12, OUTPUT: 13}  # of a vsock: those below 1024 are only for root to listen to
VSOCK = "vsock"  # told to its first process: its ports are those
CODE, BUNDLE = "code", "bundle"  # serial numbers of the disks beside the root, or the order that they are in
CARD = "eth0"  # the link of its network, where it has one
PLACE = "/usr/lib/attacca"  # of our own part of the root


class Wake(TypedDict):
    """What a memory that was saved cannot know."""

    wall_s: float  # since 1970
    seed: str  # hexadecimal, nobody else's
    is_first: bool  # it has just imported the code
    address: str  # of its card; empty: it has none


class VmSpec(SpawnSpec):
    processes: int  # and threads, of the function
    wake: Wake


class End(TypedDict):
    status: int  # as wait(2) has it
    was_oom: bool
