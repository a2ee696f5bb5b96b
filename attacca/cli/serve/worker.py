"""`attacca worker`: a worker of a cluster, in a process of its own."""

import os
import sys

import typer

from attacca.cli.options import ConfigFile, Json, StateDir
from attacca.cli.screens.terminal import counted, paint, show_json
from attacca.cli.serve.plane_options import Advertise, Certs, ControlAt, Listen, PlaneName, split
from attacca.cli.serve.running import log_to_stderr, remark
from attacca.cli.serve.running import run as serve
from attacca.cli.serve.up import (
    Assignments,
    Concurrency,
    Cores,
    Isolation,
    Keepalive,
    Lifeline,
    Memory,
    MemoryLimits,
    Queueing,
    Quiet,
    Verbose,
)

EXAMPLES = """
attacca worker
attacca worker --control 127.0.0.1:7700 --memory 2048
attacca worker --name second --state-dir ./second
"""


def run(
    *,
    control: ControlAt = None,
    listen: Listen = None,
    advertise: Advertise = None,
    name: PlaneName = None,
    certs: Certs = None,
    state_dir: StateDir = "",
    isolation: Isolation = None,
    memory_mb: Memory = None,
    memory_limits: MemoryLimits = None,
    cores: Cores = None,
    queueing: Queueing = None,
    concurrency: Concurrency = None,
    keepalive: Keepalive = None,
    assignments: Assignments = None,
    file: ConfigFile = "",
    verbose: Verbose = False,
    quiet: Quiet = False,
    lifeline: Lifeline = False,
    as_json: Json = False,
) -> None:
    """Start a worker alone: it joins control, and runs what gateways send it."""
    from attacca.cli.serve.configuration import load

    flags = {
        "state_dir": (state_dir or None, "--state-dir"), "cluster.control": (split(control), "--control"),
        "cluster.listen": (listen, "--listen"), "cluster.advertise": (advertise, "--advertise"),
        "cluster.name": (name, "--name"), "cluster.certs": (certs, "--certs"), "isolation": (isolation, "--isolation"),
        "memory_mb": (memory_mb, "--memory"), "memory_limits": (memory_limits, "--memory-limits"),
        "cores": (cores, "--cores"), "queueing": (queueing, "--queueing"),
        "keepalive": (keepalive, "--keepalive"), "concurrency": (concurrency, "--concurrency"),
    }  # fmt: skip
    config = load(os.environ, file, flags, assignments or [], "worker").value
    log_to_stderr(verbose=verbose)
    from attacca.cli.serve.planes.worker import WorkerPlane
    from attacca.worker.host.watch import no_group

    plane = WorkerPlane(config)

    def greet() -> None:
        if as_json:
            show_json(plane.info())
        elif not quiet:
            out, worker = sys.stdout, config.worker
            what = f"{worker.memory_mb} MB · {counted(worker.cores, 'core')}"
            out.write(f"{paint('attacca ' + plane.name, 'bold cyan', out)} has joined · {what}\n")
            out.flush()
        if warning := no_group(plane.info()):
            remark(warning)

    code = serve(plane, greet, has_lifeline=lifeline)
    if code:
        raise typer.Exit(code)
