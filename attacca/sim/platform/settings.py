"""What a scenario says of its workers, as a worker's own settings and policies."""

from attacca.kernel.chance import Chance
from attacca.kernel.registry import Choice, build
from attacca.load.workload.scenario import Scenario, System
from attacca.model.machine import Device
from attacca.policy.concurrency import CONCURRENCY
from attacca.policy.concurrency.types import Concurrency
from attacca.policy.dispatch import DISPATCH
from attacca.policy.dispatch.types import Dispatcher, begin
from attacca.policy.keepalive import BOUNDS, KEEPALIVE
from attacca.policy.keepalive.types import Keepalive
from attacca.policy.queueing import QUEUEING
from attacca.policy.queueing.types import Queueing
from attacca.worker.config import AcceleratorsConfig, WorkerConfig

ENDLESS_MB = 1 << 40


def config_of(scenario: Scenario, name: str) -> WorkerConfig:
    system = scenario.system
    return WorkerConfig(
        name=name,
        memory_mb=ENDLESS_MB if system.keepalive.policy == "infinite" else system.memory_mb,
        cores=system.cores,
        queueing=Choice(policy=system.queueing.policy, options=system.queueing.options),
        concurrency=Choice(policy=system.concurrency.policy, options=system.concurrency.options),
        keepalive=Choice(policy=system.keepalive.policy, options=system.keepalive.options),
        templates=system.templates,
        cut_off_s=system.cut_off_s,
        accelerators=_accelerators(system),
    )


def _accelerators(system: System) -> AcceleratorsConfig:
    there = system.accelerators
    if not there:
        return AcceleratorsConfig(find=False)
    plain = AcceleratorsConfig()
    queueing, dispatch = system.device_queueing, system.dispatch
    return AcceleratorsConfig(
        find=False,
        devices=tuple(Device(name=str(number), memory_mb=there.memory_mb) for number in range(there.count)),
        at_once=there.at_once,
        queueing=Choice(policy=queueing.policy, options=queueing.options) if queueing else plain.queueing,
        dispatch=Choice(policy=dispatch.policy, options=dispatch.options) if dispatch else plain.dispatch,
    )


def on_devices_of(config: WorkerConfig, chance: Chance) -> tuple[Queueing | None, Dispatcher | None]:
    """None: it has none."""
    accelerators = config.accelerators
    if not accelerators.devices:
        return None, None
    queueing, dispatch = accelerators.queueing, accelerators.dispatch
    return (
        build(QUEUEING, queueing.policy, queueing.options, "attacca.policy.queueing"),
        begin(build(DISPATCH, dispatch.policy, dispatch.options, "attacca.policy.dispatch"), chance),
    )


def policies_of(config: WorkerConfig, keepalive: Keepalive | None) -> tuple[Queueing, Concurrency, Keepalive]:
    queueing, concurrency, keeping = config.queueing, config.concurrency, config.keepalive
    return (
        build(QUEUEING, queueing.policy, queueing.options, "attacca.policy.queueing"),
        build(CONCURRENCY, concurrency.policy, concurrency.options, "attacca.policy.concurrency"),
        keepalive or build(KEEPALIVE | BOUNDS, keeping.policy, keeping.options, "attacca.policy.keepalive"),
    )
