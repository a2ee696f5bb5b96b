"""What a scenario says of its workers, as a worker's own settings and policies."""

from attacca.kernel.registry import Choice, build
from attacca.load.workload.scenario import Scenario
from attacca.policy.concurrency import CONCURRENCY
from attacca.policy.concurrency.types import Concurrency
from attacca.policy.keepalive import BOUNDS, KEEPALIVE
from attacca.policy.keepalive.types import Keepalive
from attacca.policy.queueing import QUEUEING
from attacca.policy.queueing.types import Queueing
from attacca.worker.config import WorkerConfig

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
    )


def policies_of(config: WorkerConfig, keepalive: Keepalive | None) -> tuple[Queueing, Concurrency, Keepalive]:
    queueing, concurrency, keeping = config.queueing, config.concurrency, config.keepalive
    return (
        build(QUEUEING, queueing.policy, queueing.options, "attacca.policy.queueing"),
        build(CONCURRENCY, concurrency.policy, concurrency.options, "attacca.policy.concurrency"),
        keepalive or build(KEEPALIVE | BOUNDS, keeping.policy, keeping.options, "attacca.policy.keepalive"),
    )
