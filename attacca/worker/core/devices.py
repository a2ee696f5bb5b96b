"""Which accelerators a worker has, who holds how much of each, and who must go for whom.

A sandbox holds its part of a device from the order to make it until the report that it is gone, as it does its memory:
a share of one and of what is in it, or whole ones. What fits all of them together may fit none, so room is sought on
each.
"""

from collections.abc import Collection, Iterable, Sequence

import msgspec

from attacca.model.accelerators import Compute
from attacca.model.function import Revision
from attacca.model.machine import Device
from attacca.model.resources import Resources

EXACT = 6  # digits: tenths of a device add up to one


class DevicePart(msgspec.Struct, frozen=True):
    """Of one device."""

    share: float
    memory_mb: float


class Held:
    """One device."""

    __slots__ = ("device", "memory_mb", "parts", "share")

    def __init__(self, device: Device) -> None:
        self.device = device
        self.parts: dict[str, DevicePart] = {}  # by sandbox
        self.share = 0.0  # of it, that is held
        self.memory_mb = 0.0

    def __repr__(self) -> str:
        held_mb = f"{self.memory_mb:g} of {self.device.memory_mb} MB"
        return f"<Held {self.device.name}: {self.share:g} and {held_mb}, {len(self.parts)} sandboxes>"

    def part(self, asked: Resources) -> DevicePart:
        """What a sandbox that asks for that would hold of it."""
        share = min(asked.gpu, 1.0)
        return DevicePart(share, asked.gpu_memory_mb / count_of(asked) or share * self.device.memory_mb)

    def fits(self, part: DevicePart, spared: Iterable[DevicePart] = ()) -> bool:
        """When those that are `spared` are gone."""
        share, memory_mb = self.share + part.share, self.memory_mb + part.memory_mb
        for one in spared:
            share -= one.share
            memory_mb -= one.memory_mb
        whole_mb = self.device.memory_mb
        return round(share, EXACT) <= 1.0 and (not whole_mb or round(memory_mb, EXACT) <= whole_mb)

    def add(self, sandbox: str, part: DevicePart) -> None:
        self.parts[sandbox] = part
        self._count()

    def lose(self, sandbox: str) -> None:
        self.parts.pop(sandbox, None)
        self._count()

    def _count(self) -> None:
        self.share = round(sum(part.share for part in self.parts.values()), EXACT)
        self.memory_mb = round(sum(part.memory_mb for part in self.parts.values()), EXACT)


class Devices:
    def __init__(self, devices: Iterable[Device]) -> None:
        self.held = {device.name: Held(device) for device in devices}
        self.gone: dict[str, Held] = {}  # devices that are not there any more

    def __repr__(self) -> str:
        parts = sum(len(held.parts) for held in self.held.values())
        return f"<Devices {len(self.held)} there, {len(self.gone)} gone, {parts} parts held>"

    @property
    def there(self) -> tuple[Device, ...]:
        return tuple(held.device for held in self.held.values())

    def could(self, asked: Resources) -> bool:
        """Would it fit if nobody held anything?"""
        empty = [held for held in map(Held, self.there) if held.fits(held.part(asked))]
        return len(empty) >= count_of(asked)

    def place(self, asked: Resources) -> tuple[str, ...]:
        """Where there is room for it now: the emptiest, of equals the smaller name. Empty: nowhere."""
        roomy = [held for held in self.held.values() if held.fits(held.part(asked))]
        roomy.sort(key=_emptiest)
        count = count_of(asked)
        return tuple(held.device.name for held in roomy[:count]) if len(roomy) >= count else ()

    def give(self, sandbox: str, asked: Resources) -> list[Device]:
        """The caller has seen that there is room."""
        names = self.place(asked)
        assert names, "nothing is ever over-committed"
        for name in names:
            held = self.held[name]
            held.add(sandbox, held.part(asked))
        return [self.held[name].device for name in names]

    def take_back(self, sandbox: str) -> None:
        for held in (*self.held.values(), *self.gone.values()):
            if sandbox in held.parts:
                held.lose(sandbox)

    def where(self, sandbox: str) -> tuple[str, ...]:
        return tuple(name for name, held in self.held.items() if sandbox in held.parts)

    def victims(self, asked: Resources, leaving: Collection[str], idle: Iterable[str]) -> list[str] | None:
        """The fewest that must go so that it fits, when those that are `leaving` have left. `idle`: who may, in the
        order in which they should. None: it would not fit then either."""
        ordered = list(idle)
        found: list[tuple[int, str, list[str]]] = []
        for name, held in self.held.items():
            chosen = _victims_on(held, held.part(asked), leaving, ordered)
            if chosen is not None:
                found.append((len(chosen), name, chosen))
        count = count_of(asked)
        if len(found) < count:
            return None
        names = [sandbox for _, _, chosen in sorted(found)[:count] for sandbox in chosen]
        return list(dict.fromkeys(names))

    def see(self, names: Collection[str]) -> list[str]:
        """These are there, and no others. The sandboxes on those that have gone since, and so go too."""
        lost: list[str] = []
        for name in [one for one in self.held if one not in names]:
            held = self.gone[name] = self.held.pop(name)
            lost += held.parts
        for name in [one for one in self.gone if one in names]:
            self.held[name] = self.gone.pop(name)
        self.held = dict(sorted(self.held.items()))
        return list(dict.fromkeys(lost))


def count_of(asked: Resources) -> int:
    return max(1, int(asked.gpu))


def with_devices(revision: Revision, devices: Sequence[Device]) -> Revision:
    """What is told to a runtime, which gives each sandbox the environment that its revision has."""
    settings = revision.settings
    told = {
        "CUDA_VISIBLE_DEVICES": ",".join(device.name for device in devices),
        "NVIDIA_VISIBLE_DEVICES": ",".join(device.file_number or device.name for device in devices),
    }
    if settings.gpu < 1:  # of a device that several share; who speaks to MPS is held to it
        told["CUDA_MPS_ACTIVE_THREAD_PERCENTAGE"] = str(max(1, round(settings.gpu * 100)))
        if settings.gpu_memory_mb:
            told["CUDA_MPS_PINNED_DEVICE_MEM_LIMIT"] = f"0={settings.gpu_memory_mb}M"
    given = msgspec.structs.replace(settings.on(Compute.GPU), env={**settings.env, **told})
    return msgspec.structs.replace(revision, settings=given)


def without_devices(revision: Revision) -> Revision:
    """As a runtime is told of a sandbox that does without, whatever its environment says of devices."""
    return msgspec.structs.replace(revision, settings=revision.settings.on(Compute.CPU))


def _victims_on(held: Held, part: DevicePart, leaving: Collection[str], ordered: list[str]) -> list[str] | None:
    spared = [one for sandbox, one in held.parts.items() if sandbox in leaving]
    chosen: list[str] = []
    for sandbox in ordered:
        if held.fits(part, spared):
            break
        if sandbox in held.parts:
            chosen.append(sandbox)
            spared.append(held.parts[sandbox])
    return chosen if held.fits(part, spared) else None


def _emptiest(held: Held) -> tuple[float, float, str]:
    return held.share, held.memory_mb, held.device.name
