"""Who must go when memory is short: idle sandboxes as their keeper orders them, then templates that nobody uses."""

from collections.abc import Mapping
from typing import NamedTuple

from attacca.policy.keepalive.types import Keeper
from attacca.worker.core.sandbox import Phase, Sandbox
from attacca.worker.core.state import Fleet
from attacca.worker.core.templates import Template, TemplatePhase


class Plan(NamedTuple):
    sandboxes: list[Sandbox]
    templates: list[Template]
    short_mb: int  # what it still lacks; not above 0: it frees enough


def plan(
    now: float,
    need_mb: int,
    asking: Fleet | None,
    keeper: Keeper,
    sandboxes: Mapping[str, Sandbox],
    templates: Mapping[str, Template],
    *,
    hard: bool = False,
    yields: Fleet | None = None,
) -> Plan:
    """Nobody is evicted below its min_sandboxes, or for one of its own kind; the asker's own template goes last.

    `hard`: a template goes also if its fleet has sandboxes, as long as none of them was forked from it. `yields`: its
    min_sandboxes do not stand against it, since what asks is to replace it.
    """
    chosen: dict[str, Sandbox] = {}
    spare: dict[Fleet, int] = {}
    resting = [sandbox.idle for sandbox in sandboxes.values() if sandbox.idle is not None]
    for idle in keeper.victims(now, resting) if resting else ():
        if need_mb <= 0:
            break
        sandbox = sandboxes[idle.sandbox]
        fleet = sandbox.fleet
        left = spare.get(fleet, fleet.live - (0 if fleet is yields else fleet.least))
        if fleet is asking or left <= 0:
            continue
        spare[fleet] = left - 1
        chosen[sandbox.id] = sandbox
        need_mb -= sandbox.memory_mb
    dropped: list[Template] = []
    for template in sorted(templates.values(), key=lambda one: (_is_of(one, asking), one.used_at, one.id)):
        if need_mb <= 0:
            break
        if template.phase is TemplatePhase.READY and _is_unused(template, chosen, hard=hard):
            dropped.append(template)
            need_mb -= template.memory_mb
    return Plan(list(chosen.values()), dropped, need_mb)


def _is_of(template: Template, fleet: Fleet | None) -> bool:
    return fleet is not None and template.fleet is fleet


def _is_unused(template: Template, chosen: Mapping[str, Sandbox], *, hard: bool) -> bool:
    """When the chosen ones are gone, no sandbox was forked from it, and its fleet has none."""
    holders = list(template.children.values())
    if template.fleet is not None and not hard:
        holders += template.fleet.sandboxes.values()
    return all(holder.phase is Phase.DYING or holder.id in chosen for holder in holders)
