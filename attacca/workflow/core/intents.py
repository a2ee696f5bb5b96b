"""What an orchestrator outside of the domain wants to be done: read from whatever it wrote, and judged before it is
obeyed. Everything that is wrong with one is said, and ends nothing.

`judge` looks at intents in their order, each as if those before it had been obeyed; so it answers "what would you do?"
as well.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Annotated, Literal

import msgspec

from attacca.errors import BadRequest
from attacca.workflow.core.state import ComponentState, DomainState

INTENTS_MOST = 1000  # in one request
TARGETS_MOST = 64
NAME_MOST = 300
VALUE_BYTES = TARGETS_MOST * (NAME_MOST + 1)
PREFIX, MIGRATE, CORDON = "intent", "migrate", "cordon"
FORMS = "intent:migrate:COMPONENT with nodes, or intent:cordon:NODE with yes or no"

Reason = Literal["", "malformed", "no_such_node", "no_such_component", "not_running", "cordoned", "unfit", "failed"]
Named = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_MOST)]
# Of a component, a node, and the components that will have gone there before it: why it cannot have it; empty: it can.
Fits = Callable[[str, str, Sequence[str]], str]


class Migrate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="intent", tag="migrate"):
    """`component`: see `DomainState.component`. `to`: nodes by UUID or name; the first that can have it."""

    component: Named
    to: Annotated[tuple[Named, ...], msgspec.Meta(min_length=1, max_length=TARGETS_MOST)]


class Cordon(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="intent", tag="cordon"):
    """Nothing new is placed on that node."""

    node: Named


class Uncordon(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="intent", tag="uncordon"
):
    node: Named


Intent = Migrate | Cordon | Uncordon


class IntentsRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`dry_run`: says what would be done, and does nothing."""

    intents: Annotated[tuple[Intent, ...], msgspec.Meta(min_length=1, max_length=INTENTS_MOST)]
    dry_run: bool = False


class Verdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What becomes of an intent. `component` and `node` are names, where it named any that are there."""

    outcome: Literal["do", "done", "nothing", "refused"]  # nothing: it is so already
    why: str
    intent: Intent | None = None
    component: str = ""
    node: str = ""  # where it goes, or whose cordon changes
    reason: Reason = ""  # of one that is refused; of several nodes, why not the last


def read(key: bytes, value: bytes | None) -> Intent:
    """As EDGELESS writes them into Redis: the name of a key, and what it has.

    Raises:
        BadRequest: it is none, or its value is not there (yet, or any more).
    """
    shown = key[:NAME_MOST].decode(errors="replace")
    tokens = shown.split(":") if len(key) <= NAME_MOST * 2 else []
    if len(tokens) != 3 or tokens[0] != PREFIX or not tokens[2]:
        raise BadRequest(f"{shown[:100]!r} is no intent", FORMS)
    kind, subject = tokens[1], tokens[2]
    if kind not in (MIGRATE, CORDON):
        raise BadRequest(f"{shown[:100]!r}: there is no intent {kind[:40]!r}", FORMS)
    if value is None:
        raise BadRequest(f"{shown[:100]!r} has no value", "SET the value first, and then RPUSH its key to intents")
    if len(value) > VALUE_BYTES:
        raise BadRequest(f"the value of {shown[:100]!r} has {len(value)} bytes", f"at most {VALUE_BYTES}")
    text = value.decode(errors="replace").strip()
    return _migrate(subject, text) if kind == MIGRATE else _cordon(subject, text)


def _migrate(component: str, text: str) -> Intent:
    nodes = tuple(name for one in text.split(",") if (name := one.strip()))
    if not 1 <= len(nodes) <= TARGETS_MOST or any(len(name) > NAME_MOST for name in nodes):
        raise BadRequest(
            f"{component!r} is to go to {len(nodes)} nodes", f"name 1 to {TARGETS_MOST}, with commas between"
        )
    return Migrate(component=component, to=nodes)


def _cordon(node: str, text: str) -> Intent:
    if text == "yes":
        return Cordon(node=node)
    if text == "no":
        return Uncordon(node=node)
    raise BadRequest(f"the cordon of {node!r} is {text[:40]!r}", "yes or no")


class Plan:
    """What will be, when the intents so far have been obeyed."""

    def __init__(self, state: DomainState, fits: Fits) -> None:
        self._fits = fits
        self._components = state.by_any_name()
        self._nodes = {name: node.name for node in state.nodes for name in (node.name, node.id)}
        self._cordoned = {node.name: node.is_cordoned for node in state.nodes}
        self._moved: dict[str, str] = {}  # by component: where it will have gone

    def __repr__(self) -> str:
        return (
            f"<Plan {len(self._moved)} moves, {sum(self._cordoned.values())} of {len(self._cordoned)} nodes cordoned>"
        )

    def judge(self, intent: Intent) -> Verdict:
        return self._migrate(intent) if isinstance(intent, Migrate) else self._cordon(intent)

    def _cordon(self, intent: Cordon | Uncordon) -> Verdict:
        node = self._nodes.get(intent.node)
        if node is None:
            return _refused(intent, f"there is no node {intent.node!r}", "no_such_node")
        is_on = isinstance(intent, Cordon)
        if self._cordoned[node] == is_on:
            why = f"{node} is {'cordoned already' if is_on else 'not cordoned'}"
            return Verdict(outcome="nothing", why=why, intent=intent, node=node)
        self._cordoned[node] = is_on
        why = f"{node} is given nothing new" if is_on else f"{node} is given new instances again"
        return Verdict(outcome="do", why=why, intent=intent, node=node)

    def _migrate(self, intent: Migrate) -> Verdict:
        component = self._components.get(intent.component)
        if component is None:
            return _refused(intent, f"there is no component {intent.component!r}", "no_such_component")
        where = self._places(component)
        if not where:
            return _refused(intent, f"{component.name} runs nowhere now", "not_running", component.name)
        reasons: list[str] = []
        reason: Reason = ""
        for named in intent.to:
            node = self._nodes.get(named, "")
            if where == {node}:
                why = f"{component.name} is on {node} already"
                return Verdict(outcome="nothing", why=why, intent=intent, component=component.name, node=node)
            reason, why = self._why_not(component.name, named, node)
            if not why:
                self._moved[component.name] = node
                said = [f"{component.name} goes from {', '.join(sorted(where))} to {node}", *reasons]
                return Verdict(outcome="do", why="; ".join(said), intent=intent, component=component.name, node=node)
            reasons.append(why)
        return _refused(intent, "; ".join(reasons), reason, component.name)

    def _places(self, component: ComponentState) -> set[str]:
        moved = self._moved.get(component.name)
        return {one.node for one in component.instances} if moved is None else {moved}

    def _why_not(self, component: str, named: str, node: str) -> tuple[Reason, str]:
        if not node:
            return "no_such_node", f"there is no node {named!r}"
        if self._cordoned[node]:
            return "cordoned", f"{node} is cordoned"
        beside = [name for name, place in self._moved.items() if place == node and name != component]
        why = self._fits(component, node, beside)
        return ("unfit", f"{node}: {why}") if why else ("", "")


def judge(state: DomainState, intents: Iterable[Intent], fits: Fits) -> list[Verdict]:
    """What to do about each, in their order, as if those before it had been obeyed."""
    plan = Plan(state, fits)
    return [plan.judge(intent) for intent in intents]


def _refused(intent: Intent, why: str, reason: Reason, component: str = "") -> Verdict:
    return Verdict(outcome="refused", why=why, intent=intent, component=component, reason=reason)
