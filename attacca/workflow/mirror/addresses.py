"""Where a mirror is, as the settings say it."""

from attacca.errors import BadConfig
from attacca.io.store.address import Address, parse
from attacca.workflow.mirror.config import MirrorConfig

HINT = "redis://host:6379/0, or rediss:// over TLS; workflows.mirror.prefix is what keys begin with"


def address(config: MirrorConfig) -> Address:
    """
    Raises:
        BadConfig: it is none of a Redis server, or its password cannot be read.
    """
    try:
        found = parse(config.url, config.password_file)
    except BadConfig as error:
        raise BadConfig(f"workflows.mirror.{error.message.removeprefix('store.')}", HINT) from None
    if found.kind != "redis" or "prefix=" in config.url:
        raise BadConfig("workflows.mirror.url names no Redis server, or a prefix, which is a setting of its own", HINT)
    return found
