"""The same jobs on the machines of a Dask cluster."""

import importlib
from collections.abc import Iterator, Sequence
from typing import Any, Final

from attacca.errors import BadConfig, Unreachable
from attacca.sim.study.job import Job, perform

SCHEME: Final = "dask://"
PATIENCE_S: Final = 10.0


def address(url: str) -> str:
    """dask://HOST:PORT as Dask says it."""
    host, _, port = url.removeprefix(SCHEME).rstrip("/").rpartition(":")
    if not url.startswith(SCHEME) or not host or not (port.isascii() and port.isdigit()):
        raise BadConfig(f"--on {url!r} is no address of a cluster", "write it as --on dask://HOST:PORT")
    return f"tcp://{host}:{port}"


def perform_on(url: str, jobs: Sequence[Job]) -> Iterator[tuple[int, bytes | BaseException]]:
    """The number of each job and what came of it, as they come. What has not begun when we leave never begins.

    Raises:
        BadConfig: dask.distributed is not installed, or this is no address.
        Unreachable: no scheduler answers.
    """
    where = address(url)
    try:
        distributed: Any = importlib.import_module("distributed")
    except ImportError:
        raise BadConfig("dask.distributed is not installed", "pip install 'attacca[dask]'") from None
    try:
        client: Any = distributed.Client(where, timeout=PATIENCE_S, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise Unreachable(f"no Dask scheduler answers at {where}: {error}", "dask scheduler") from None
    with client:
        # A worker that dies takes its job with it; Dask gives the job to another, and to a third.
        futures = {client.submit(perform, job, pure=False, retries=2): place for place, job in enumerate(jobs)}
        for future in distributed.as_completed(list(futures), loop=client.loop):
            fault = future.exception()
            yield futures[future], future.result() if fault is None else fault
            future.release()
