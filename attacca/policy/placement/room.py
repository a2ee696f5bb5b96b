"""Who can have it, and what is said when nobody can: the same for every policy."""

from collections.abc import Sequence
from operator import attrgetter

from attacca.kernel.chance import Chance
from attacca.model.resources import KINDS, amount
from attacca.policy.placement.types import Ask, NoRoom, Worker

DRAWS = 16  # before all are looked at: with a twentieth of them free, that happens in every second decision


def has_room(worker: Worker, ask: Ask) -> bool:
    if worker.is_cordoned or worker.name in ask.avoid:
        return False
    return (worker.reserved + ask.resources).fits(worker.capacity)


def share_with(worker: Worker, ask: Ask) -> float:
    """That would be reserved."""
    return (worker.reserved + ask.resources).dominant_share(worker.capacity)


def by_name(workers: Sequence[Worker]) -> list[Worker]:
    return sorted(workers, key=attrgetter("name"))


def drawn(workers: Sequence[Worker], ask: Ask, chance: Chance) -> Worker | None:
    """One that has room, each as likely as the other."""
    count = len(workers)
    for _ in range(DRAWS if count else 0):
        worker = workers[int(chance.random() * count)]
        if has_room(worker, ask):
            return worker
    rest = [worker for worker in workers if has_room(worker, ask)]
    return rest[int(chance.random() * len(rest))] if rest else None


def no_room(workers: Sequence[Worker], ask: Ask) -> NoRoom:
    if not workers:
        return NoRoom("there is no worker")
    wants = " and ".join(amount(kind, value) for kind in KINDS if (value := getattr(ask.resources, kind)))
    shut = sum(worker.is_cordoned for worker in workers)
    said = [f"{shut} cordoned"] if shut else []
    if ask.avoid:
        said.append(f"{len(ask.avoid)} to be avoided")
    return NoRoom(f"none of {len(workers)} workers has {wants or 'room'} free{''.join(f', {why}' for why in said)}")
