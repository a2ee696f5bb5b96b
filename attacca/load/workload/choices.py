"""How a policy and its options may be written, in a scenario as in a server's settings.

`"lru"`, `"ttl:idle_s=60"`, `{ policy = "ttl", idle_s = 60 }` and `{ policy = "ttl", options = { idle_s = 60 } }`.
"""

import json
from typing import Any, Final, NamedTuple

FAMILIES: Final = (
    "queueing",
    "concurrency",
    "keepalive",
    "balancing",
    "slots",
    "scaling",
    "placement",
    "device_queueing",
    "dispatch",
)


class Chosen(NamedTuple):
    policy: str
    options: dict[str, object]

    def plain(self) -> dict[str, object]:
        return {"policy": self.policy, "options": self.options}


def choice(text: str) -> Chosen:
    """`ttl`, `ttl:idle_s=60`, `mine:Class:idle_s=60:other=1`: a policy, then its options."""
    words = parted(text, ":")
    names = [word for word in words if "=" not in word]
    options = dict(word.split("=", 1) for word in words if "=" in word)
    return Chosen(":".join(names), {key: value_of(said) for key, said in options.items()})


def value_of(text: str) -> object:
    """A number, a truth or a list where it reads as one, else a text."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def spelt_out(tables: Any) -> Any:
    """A scenario's tables with each policy as its name and a table of options; what makes no sense stays as it is."""
    system = tables.get("system") if isinstance(tables, dict) else None
    if not isinstance(system, dict):
        return tables
    whole = {name: _whole(said) if name in FAMILIES else said for name, said in system.items()}
    return {**tables, "system": whole}


def _whole(said: Any) -> Any:
    if isinstance(said, str):
        return choice(said).plain()
    if not isinstance(said, dict) or not isinstance(said.get("options", {}), dict):
        return said
    flat = {name: value for name, value in said.items() if name not in ("policy", "options")}
    named = {"policy": said["policy"]} if "policy" in said else {}
    return {**named, "options": {**said.get("options", {}), **flat}}


def parted(text: str, at: str) -> list[str]:
    """Cut at each sign that is not inside brackets or quotes: `[1,2],[3]` are two lists."""
    parts, depth, is_quoted = [""], 0, False
    for sign in text:
        is_quoted ^= sign == '"'
        depth += 0 if is_quoted else (sign in "[{") - (sign in "]}")
        if sign == at and not (depth > 0 or is_quoted):
            parts.append("")
        else:
            parts[-1] += sign
    return parts
