"""Makes the mirror that the settings name. What speaks to Redis is imported only here."""

from attacca.io.store.opening import expect_library
from attacca.kernel.clock import Clock
from attacca.workflow.delegation import Delegation
from attacca.workflow.mirror.addresses import address
from attacca.workflow.mirror.config import MirrorConfig
from attacca.workflow.mirror.driver import Mirror


def mirrored(config: MirrorConfig, clock: Clock, run: str, delegation: Delegation) -> Mirror:
    """
    Raises:
        BadConfig: see `address`; or the library for Redis is not installed.
    """
    where = address(config)
    expect_library("redis", "workflows.mirror")
    from attacca.workflow.mirror.redis import RedisGlass

    glass = RedisGlass(where, config.prefix, config.timeout_s)
    return Mirror(config, glass, clock, run, delegation.state, delegation.obey, delegation.refuse)
