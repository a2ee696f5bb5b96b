"""What a scenario's workflows are made of, and what each of their functions does with an event."""

from attacca.load.workload.scenario import WorkflowPlan
from attacca.model.function import PythonDirectory
from attacca.model.workflow import Component, Output, WorkflowSpec

OUT = "to"
FIRST, LAST = "first", "last"  # of a map_reduce


def spec_of(plan: WorkflowPlan, name: str) -> WorkflowSpec:
    leads = _leads(plan)
    components = tuple(
        Component(
            name=part,
            artefact=PythonDirectory(f"{plan.name}/{part}"),
            memory_mb=plan.memory_mb,
            timeout_s=plan.timeout_s,
            replicas=2 if plan.standby else 1 if part == first_of(plan) else plan.replicas,
            standby="hot" if plan.standby else "",
            outputs={OUT: Output(to=targets)} if targets else {},
        )
        for part, targets in leads.items()
    )
    return WorkflowSpec(name=name, components=components)


def _leads(plan: WorkflowPlan) -> dict[str, tuple[str, ...]]:
    if plan.template != "map_reduce":
        names = [f"f{number}" for number in range(1, plan.length + 1)]
        return {name: tuple(names[place + 1 : place + 2]) for place, name in enumerate(names)}
    mappers = tuple(f"m{number}" for number in range(1, plan.width + 1))
    return {FIRST: mappers, **dict.fromkeys(mappers, (LAST,)), LAST: ()}


def first_of(plan: WorkflowPlan) -> str:
    """Whom an event comes to."""
    return next(iter(_leads(plan)))


def last_of(plan: WorkflowPlan) -> tuple[str, int]:
    """Who ends it, and how many events that one waits for; of calls it is who called first."""
    if plan.template == "calls":
        return first_of(plan), 1
    last = list(_leads(plan))[-1]
    return last, plan.width if plan.template == "map_reduce" else 1
