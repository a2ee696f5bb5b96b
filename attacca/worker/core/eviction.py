"""Who must go when room is short: idle sandboxes as the policy orders them, then templates that nobody uses."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from attacca.model.resources import NOTHING, Resources, total
from attacca.policy.keepalive.types import KeepaliveState
from attacca.worker.core.phases import Phase, TemplatePhase
from attacca.worker.core.state import RevisionState, Sandbox, Template


class Plan(NamedTuple):
    sandboxes: list[Sandbox]
    templates: list[Template]
    lack: Resources  # still; NOTHING: it frees enough


def plan(
    now: float,
    lack: Resources,
    asking: RevisionState | None,
    keepalive: KeepaliveState,
    sandboxes: Mapping[str, Sandbox],
    templates: Mapping[str, Template],
    *,
    hard: bool = False,
    yields: RevisionState | None = None,
) -> Plan:
    """Nobody is evicted below its min_sandboxes, or for one of its own kind; the asker's own template goes last.

    `hard`: a template goes also if its state has sandboxes, as long as none of them was forked from it. `yields`: its
    min_sandboxes do not stand against it, since what asks is to replace it.
    """
    chosen: dict[str, Sandbox] = {}
    spare: dict[RevisionState, int] = {}
    resting = [sandbox.idle for sandbox in sandboxes.values() if sandbox.idle is not None]
    for idle in keepalive.victims(now, resting) if resting else ():
        if lack == NOTHING:
            break
        sandbox = sandboxes[idle.sandbox]
        state = sandbox.state
        left = spare.get(state, state.live - (0 if state is yields else state.least))
        if state is asking or left <= 0 or not sandbox.resources.shares_a_kind(lack):
            continue
        spare[state] = left - 1
        chosen[sandbox.id] = sandbox
        lack = lack.beyond(sandbox.resources)
    dropped: list[Template] = []
    for template in sorted(templates.values(), key=lambda one: (_is_of(one, asking), one.used_at, one.id)):
        if lack == NOTHING:
            break
        is_of_use = template.phase is TemplatePhase.READY and template.resources.shares_a_kind(lack)
        if is_of_use and _is_unused(template, chosen, hard=hard):
            dropped.append(template)
            lack = lack.beyond(template.resources)
    return Plan(list(chosen.values()), dropped, lack)


def spare(sandboxes: Iterable[Sandbox], templates: Iterable[Template]) -> Resources:
    """What would go if all that there is were wanted; of templates, those without any sandbox."""
    resting: dict[RevisionState, list[Resources]] = {}
    for sandbox in sandboxes:
        if sandbox.idle is not None:
            resting.setdefault(sandbox.state, []).append(sandbox.resources)
    going = [one for state, all_ in resting.items() for one in all_[: max(state.live - state.least, 0)]]
    unused = [one for one in templates if one.phase is TemplatePhase.READY and _is_unused(one, {}, hard=False)]
    return total(going) + total(one.resources for one in unused)


def _is_of(template: Template, state: RevisionState | None) -> bool:
    return state is not None and template.state is state


def _is_unused(template: Template, chosen: Mapping[str, Sandbox], *, hard: bool) -> bool:
    """When the chosen ones are gone, no sandbox was forked from it, and its revision has none."""
    holders = list(template.children.values())
    if template.state is not None and not hard:
        holders += template.state.sandboxes.values()
    return all(holder.phase is Phase.DYING or holder.id in chosen for holder in holders)
