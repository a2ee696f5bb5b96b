"""The settings of a function that is deployed by a push of its image: the image's labels that begin with `attacca.`"""

from collections.abc import Mapping
from typing import Any

import msgspec

from attacca.errors import BadConfig
from attacca.model.function import Name, RuntimeKind, Settings
from attacca.model.image import CONTRACT, START, Contract

LABELS_MOST = 200
HINT = "attacca build --label attacca.memory_mb=256; the settings are those of function.toml"


def is_function(repository: str) -> bool:
    """Is a push to there a deployment? Any other is kept, and no more."""
    try:
        msgspec.convert(repository, Name)
    except msgspec.ValidationError:
        return False
    return True


def settings(name: str, labels: Mapping[str, str]) -> Settings:
    """`attacca.memory_mb=256` is memory_mb = 256, and `attacca.env.DEBUG=1` is DEBUG of env.

    Raises:
        BadConfig: a label names no setting, or has a value that it cannot have.
    """
    given: dict[str, Any] = {}
    own = {key: value for key, value in labels.items() if key.startswith(START) and key != CONTRACT}
    told = {key.removeprefix(START): value for key, value in own.items()}
    if len(told) > LABELS_MOST:
        raise BadConfig(f"the image has {len(told)} labels that begin with {START}", HINT)
    for key, value in sorted(told.items()):
        table, dot, inner = key.partition(".")
        if not dot:
            given[key] = value.split() if key in LISTS else value
        elif isinstance(kept := given.setdefault(table, {}), dict):
            kept[inner] = value
    if "name" in given:
        raise BadConfig(f"the label {START}name is not taken: a function is called as its repository", HINT)
    kind = RuntimeKind.PROCESS if labels.get(CONTRACT) == Contract.GUEST else RuntimeKind.CONTAINER
    try:
        return msgspec.convert({"runtime": kind.value, **given, "name": name}, Settings, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise BadConfig(f"the labels of the image: {error}", HINT) from None


LISTS = ("cors", "allow", "publish")
