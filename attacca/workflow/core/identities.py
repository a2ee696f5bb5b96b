"""The UUIDs by which tools of EDGELESS know what has a name here: each follows from the name alone.

A name that is a UUID already is its own.
"""

from functools import lru_cache
from uuid import UUID, uuid5

from attacca.model.events import BRIDGED

SPACE = UUID("0a41a31d-a4c0-433d-8067-0beb99b45d36")
LENGTH = 36  # of one, as text


def of_node(name: str) -> str:
    """Of one that speaks another language it is its own."""
    return _made("node", name.rpartition(BRIDGED)[2])


def of_workflow(workflow: str) -> str:
    return _made("workflow", workflow)


def of_component(workflow: str, component: str) -> str:
    """The logical one, which outlives every instance."""
    return _made("component", f"{workflow}.{component}")


def of_instance(instance: str) -> str:
    """The physical one."""
    return _made("instance", instance)


def is_uuid(text: str) -> bool:
    """In the form in which they are written everywhere: 36 characters."""
    if len(text) != LENGTH:
        return False
    try:
        UUID(text)
    except ValueError:
        return False
    return True


@lru_cache(maxsize=65_536)
def _made(kind: str, name: str) -> str:
    return name.lower() if is_uuid(name) else str(uuid5(SPACE, f"{kind}/{name}"))
