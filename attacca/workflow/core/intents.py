"""What an orchestrator outside of the domain wants to be done: read from whatever it wrote, and judged before it is
obeyed. Everything that is wrong with one is said, and ends nothing.

`judge` looks at intents in their order, each as if those before it had been obeyed; so it answers "what would you do?"
as well.
"""

from collections.abc import Callable, Iterable
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

Named = Annotated[str, msgspec.Meta(min_length=1, max_length=NAME_MOST)]
Fits = Callable[[str, str], str]  # of a component and a node, by their names: why it cannot run there; empty: it can


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


def judge(state: DomainState, intents: Iterable[Intent], fits: Fits) -> list[Verdict]:
    """What to do about each, in their order."""
    cordoned = {node.name: node.is_cordoned for node in state.nodes}
    places: dict[str, str] = {}  # where components will have gone
    verdicts = []
    for intent in intents:
        if isinstance(intent, Migrate):
            verdict = _judge_migrate(state, intent, fits, cordoned, places)
            if verdict.outcome == "do":
                places[verdict.component] = verdict.node
        else:
            verdict = _judge_cordon(state, intent, cordoned)
            if verdict.outcome == "do":
                cordoned[verdict.node] = isinstance(intent, Cordon)
        verdicts.append(verdict)
    return verdicts


def _judge_cordon(state: DomainState, intent: Cordon | Uncordon, cordoned: dict[str, bool]) -> Verdict:
    node = state.node(intent.node)
    if node is None:
        return _refused(intent, f"there is no node {intent.node!r}")
    is_on = isinstance(intent, Cordon)
    if cordoned[node.name] == is_on:
        why = f"{node.name} is {'cordoned already' if is_on else 'not cordoned'}"
        return Verdict(outcome="nothing", why=why, intent=intent, node=node.name)
    why = f"{node.name} is given nothing new" if is_on else f"{node.name} is given new instances again"
    return Verdict(outcome="do", why=why, intent=intent, node=node.name)


def _judge_migrate(
    state: DomainState, intent: Migrate, fits: Fits, cordoned: dict[str, bool], places: dict[str, str]
) -> Verdict:
    component = state.component(intent.component)
    if component is None:
        return _refused(intent, f"there is no component {intent.component!r}")
    where = places.get(component.name) or _place(component)
    if not where:
        return _refused(intent, f"{component.name} runs nowhere now", component.name)
    reasons = []
    for named in intent.to:
        node = state.node(named)
        if node is None:
            reasons.append(f"there is no node {named!r}")
        elif node.name == where:
            return Verdict(
                outcome="nothing", why=f"{component.name} is on {where} already", intent=intent,
                component=component.name, node=where,
            )  # fmt: skip
        elif cordoned[node.name]:
            reasons.append(f"{node.name} is cordoned")
        elif unfit := fits(component.name, node.name):
            reasons.append(f"{node.name}: {unfit}")
        else:
            why = "; ".join([f"{component.name} goes from {where} to {node.name}", *reasons])
            return Verdict(outcome="do", why=why, intent=intent, component=component.name, node=node.name)
    return _refused(intent, "; ".join(reasons), component.name)


def _place(component: ComponentState) -> str:
    return component.instances[0].node if component.instances else ""


def _refused(intent: Intent, why: str, component: str = "") -> Verdict:
    return Verdict(outcome="refused", why=why, intent=intent, component=component)
