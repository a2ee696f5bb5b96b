"""A worker's core, with the policies that its configuration names."""

from attacca.kernel.ids import Ids
from attacca.kernel.rand import Streams
from attacca.kernel.registry import build
from attacca.policy.concurrency import CONCURRENCY
from attacca.policy.dispatch import DISPATCH
from attacca.policy.dispatch.types import begin
from attacca.policy.keepalive import KEEPALIVE
from attacca.policy.queueing import QUEUEING
from attacca.worker.config import WorkerConfig
from attacca.worker.core.worker import WorkerCore


def made(config: WorkerConfig, streams: Streams) -> tuple[WorkerCore, float | None]:
    """And how often its concurrency policy wants to know how busy the machine is; None: never.

    Raises:
        BadConfig: no such policy, or not with these options.
    """
    concurrency = build(
        CONCURRENCY, config.concurrency.policy, config.concurrency.options, "attacca.policy.concurrency"
    )
    devices, dispatch = config.accelerators.queueing, config.accelerators.dispatch
    core = WorkerCore(
        config,
        build(QUEUEING, config.queueing.policy, config.queueing.options, "attacca.policy.queueing"),
        concurrency,
        build(KEEPALIVE, config.keepalive.policy, config.keepalive.options, "attacca.policy.keepalive"),
        Ids(streams.stream("worker/ids")),
        config.cores,
        chance=streams.stream("worker/keepalive"),
        on_devices=build(QUEUEING, devices.policy, devices.options, "attacca.policy.queueing"),
        dispatcher=begin(
            build(DISPATCH, dispatch.policy, dispatch.options, "attacca.policy.dispatch"),
            streams.stream("worker/dispatch"),
        ),
    )
    return core, concurrency.every_s
