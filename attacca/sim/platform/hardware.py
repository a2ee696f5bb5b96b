"""The simulated machine of one worker: it carries out what the worker core orders, and reports what came of it.

Everything takes as long as the scenario's hardware says. A draw is numbered by what it is for (the n-th start of a
function, the n-th invocation), so that it is the same in every run that has that start or invocation.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from attacca.errors import BadConfig
from attacca.load.workload.scenario import Accelerated, Accelerators, Distribution, Hardware
from attacca.model.function import Artefact
from attacca.model.invocation import Making, Ok
from attacca.model.resources import Resources
from attacca.model.supplies import STOCK_MOST
from attacca.sim.engine import Engine
from attacca.sim.platform.cpu import Cores, Cpu, Shared, Unshared
from attacca.sim.platform.devices import DeviceMemory, OnDevices, device_of
from attacca.sim.platform.draws import Duration
from attacca.sim.record.invocation import SimulatedInvocation
from attacca.worker.core.events import Listen, Respond
from attacca.worker.core.phases import Position
from attacca.worker.core.scheduler import Scheduler
from attacca.worker.runtime.simulated import Instance, Job, SimulatedRuntime, StartFault, Steps

OK: Final = Ok()
STARTS_MOST = 1 << 32  # of one function


class Chances:
    """The durations of a scenario's hardware, shared by all of its machines; `starts` counts each function's."""

    def __init__(
        self,
        hardware: Hardware,
        seed: int,
        colds: Mapping[str, Duration],
        accelerated: Mapping[str, Accelerated] | None = None,
        *,
        all_compute: bool = False,
    ) -> None:
        """`all_compute`: there is no function that only sleeps. `accelerated`: by function, those that devices run."""
        self.sandbox = Duration(hardware.sandbox, seed, "hardware/sandbox")
        self.template = Duration(hardware.template, seed, "hardware/template")
        self.code = Duration(hardware.code, seed, "hardware/code")
        self.imports = Duration(hardware.imports, seed, "hardware/imports")
        self.overhead = Duration(hardware.overhead, seed, "hardware/overhead")
        self.first = Duration(hardware.first, seed, "hardware/first")
        self.wakeup = Duration(hardware.wakeup, seed, "hardware/wakeup")
        self.fetch = Duration(hardware.fetch, seed, "hardware/fetch")
        self.wiring = Duration(hardware.wiring or Distribution(), seed, "hardware/wiring")
        self.readiness = Duration(hardware.readiness or Distribution(), seed, "hardware/readiness")
        self._ahead, self._fetched = Duration(hardware.fetch, seed, "hardware/prefetch"), 0
        self.colds = colds  # by function: the whole of its cold start, where it has its own
        self.all_compute = all_compute
        self.on_devices = OnDevices(seed, accelerated or {})
        self._starts: dict[str, int] = {}
        self._functions: dict[str, int] = {}

    def __repr__(self) -> str:
        return f"<Chances {len(self._starts) + sum(self._starts.values())} starts of {len(self._functions)} functions>"

    def ahead_s(self) -> float:
        """How long the next image takes that is fetched ahead."""
        self._fetched += 1
        return self._ahead.at(self._fetched)

    def number(self, function: str) -> int:
        """Of the function's next start."""
        place = self._functions.setdefault(function, len(self._functions))
        count = self._starts[function] = self._starts.get(function, -1) + 1
        return place * STARTS_MOST + count


class SharedMachine:
    """Cores that all share, and times that are drawn: what a simulated runtime runs on."""

    def __init__(
        self,
        engine: Engine,
        hardware: Hardware,
        chances: Chances,
        cores: int,
        capacity: Resources,
        invocations: Mapping[str, SimulatedInvocation],
        accelerators: Accelerators | None = None,
    ) -> None:
        self.devices = None if accelerators is None else DeviceMemory(accelerators)
        self._prefetches = accelerators is not None and accelerators.prefetch
        self.cpu = _cpu(engine, hardware, cores)
        self.cores = cores
        self.capacity = capacity
        self._engine = engine
        self._chances = chances
        self._overhead_s = chances.overhead.constant_s
        self._is_shared = hardware.cpu != "none"
        self._starts_compute = hardware.cpu == "contended"
        self.template_mb = hardware.template_mb
        self._is_instant = False
        self._has_first = chances.first.constant_s != 0.0
        self._has_wakeups = chances.wakeup.constant_s != 0.0
        self._pressure = hardware.memory_pressure
        self._images: dict[Artefact, None] | None = {} if hardware.image_cache else None
        self._tell: Callable[[tuple[str, ...]], None] = lambda _: None  # what is kept
        self._invocations = invocations
        self._finishes: Callable[[Job], None] = self.finish

    def __repr__(self) -> str:
        return f"<SharedMachine {self.cores} cores, {self.cpu.busy} busy, {self._runtime}>"

    def serve(self, runtime: SimulatedRuntime) -> None:
        self._runtime = runtime
        self._has_ended = runtime.ran

    @property
    def wanting(self) -> int:
        """Invocations that need a core now, as a load average counts them: who sleeps does not."""
        if self.cpu.busy is not None:
            return self.cpu.busy
        if self._chances.all_compute:
            return self._runtime.running
        running = (job for instance in self._runtime.instances.values() for job in instance.running.values())
        return sum(job.work.target.plan.body.computing > 0 for job in running)

    # Runs.

    def begin(self, job: Job) -> None:
        job.work = flight = self._invocations[job.name]
        overhead_s = self._overhead_s
        if overhead_s is None:
            overhead_s = self._chances.overhead.at(flight.idx)
        if self._has_first and not job.instance.has_run:
            overhead_s += self._chances.first.at(flight.idx)
            job.instance.has_run = True
        job.began = self._engine.now + overhead_s
        if self.devices is not None and job.instance.revision.settings.gpu:
            run_s = self._chances.on_devices.run_s(flight.target.name, flight.idx)
            self._later(job, overhead_s + self._bring(job.instance) + run_s, self.finish)
        elif self._is_shared:
            self._later(job, overhead_s, self._arrives)
        else:
            work_s = overhead_s + flight.request_s
            if self._pressure:
                work_s *= self._slowed()
            job.ticket = self.cpu.begin(work_s, self._finishes, job)

    def _bring(self, instance: Instance) -> float:
        assert self.devices is not None
        instances = self._runtime.instances
        self.devices.forget(instances)
        data_mb = self._chances.on_devices.data_mb(instance.revision.function)
        busy = [one.id for one in instances.values() if one.running]
        return self.devices.bring(self._engine.now, instance.id, device_of(instance.revision), data_mb, busy)

    def expect(self, invocation: str, line: Scheduler | None) -> None:
        """If it waits for a device, one of its sandboxes may have its data brought meanwhile."""
        item = line.items.get(invocation) if line is not None else None
        if self.devices is None or not self._prefetches or item is None or item.position is not Position.QUEUED:
            return
        for sandbox in item.state.free:
            instance = self._runtime.instances.get(sandbox.id)
            if instance is not None and not self.devices.is_there(instance.id, device_of(instance.revision)):
                self._bring(instance)
                return

    def finish(self, job: Job) -> None:
        flight: SimulatedInvocation = job.work
        now = self._engine.now
        if flight.key == job.name:  # it was not sent to somebody else meanwhile
            flight.exec_begin = job.began
            flight.exec_end = now
        self._has_ended(job, OK, (now - job.began) * 1e3)

    def halt(self, job: Job) -> None:
        if job.is_computing:
            self.cpu.give_up(job.ticket)
        else:
            self._engine.cancel(job.ticket)

    def later(self, do: Callable[[], None]) -> None:
        """Ends take no time."""
        do()

    def body(self, job: Job, data: bytes, *, last: bool) -> None:
        """What is simulated streams nothing."""

    def flow(self, job: Job, *, paused: bool) -> None:
        """See `body`."""

    def leave(self, job: Job) -> None:
        """See `body`."""

    def told(self, word: Respond | Listen) -> None:
        """What is simulated calls nobody."""

    # Where cores are shared: only what is computed needs one.

    def _arrives(self, job: Job) -> None:
        self._wakes(job, 0, self._compute)

    def _later(self, job: Job, after_s: float, do: Callable[[Job], None]) -> None:
        """It does not compute until then."""
        job.is_computing = False
        job.ticket = self._engine.at(self._engine.now + after_s, do, job)

    def _wakes(self, job: Job, turn: int, do: Callable[[Job], None]) -> None:
        """When all cores are taken, who wakes up waits for one."""
        if self._has_wakeups and self.cpu.busy is not None and self.cpu.busy >= self.cores:
            self._later(job, self._chances.wakeup.at(2 * job.work.idx + turn), do)
        else:
            do(job)

    def _compute(self, job: Job) -> None:
        flight = job.work
        job.began = self._engine.now
        work_s = flight.request_s * flight.target.plan.body.computing
        if self._pressure:
            work_s *= self._slowed()
        if work_s > 0.0:
            job.is_computing = True
            job.ticket = self.cpu.begin(work_s, self._wait, job)
        else:
            self._wait(job)

    def _wait(self, job: Job) -> None:
        flight = job.work
        wait_s = flight.request_s * (1.0 - flight.target.plan.body.computing)
        if wait_s > 0.0:
            self._later(job, wait_s, self._goes_on)
        else:
            self.finish(job)

    def _goes_on(self, job: Job) -> None:
        self._wakes(job, 1, self.finish)

    # Starts.

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """What is begun meanwhile takes no time."""
        self._is_instant = True
        yield
        self._is_instant = False

    def start(self, instance: Instance) -> None:
        instance.made_at = self._engine.now
        if self._is_instant:
            self._made(instance)
            return
        instance.steps = steps = self._steps(instance)
        if self.devices is not None and instance.revision.settings.gpu:
            more_s = self._chances.on_devices.start_s(instance.revision.function)
            instance.steps = steps = steps._replace(imports=steps.imports + more_s)
        if self._starts_compute:
            instance.ticket = self.cpu.begin(steps.total, self._made, instance)
        else:
            instance.ticket = self._engine.at(self._engine.now + steps.total, self._made, instance)

    def abandon(self, instance: Instance) -> None:
        if self._starts_compute:
            self.cpu.give_up(instance.ticket)
        else:
            self._engine.cancel(instance.ticket)

    def fault(self, instance: Instance) -> StartFault | None:
        return None

    def _steps(self, instance: Instance) -> Steps:
        chances, function = self._chances, instance.revision.function
        number = chances.number(function)
        slowed = self._slowed() if self._pressure else 1.0
        if instance.template is not None:
            return Steps(chances.template.at(number) * slowed)
        own = chances.colds.get(function)
        image_s = 0.0
        if self._images is None or instance.revision.artefact not in self._images:
            image_s = chances.fetch.at(number)
            self._keep(instance.revision.artefact)
        steps = Steps(
            chances.sandbox.at(number), chances.wiring.at(number), image_s, chances.code.at(number),
            0.0 if own is not None else chances.imports.at(number), chances.readiness.at(number),
        )  # fmt: skip
        steps = steps if own is None else steps.within(own.at(number))
        return steps if slowed == 1.0 else steps.longer(slowed)

    # Images.

    def prefetch(self, artefact: Artefact) -> None:
        """As long as fetching takes, and beside all else."""
        if self._images is not None and artefact not in self._images:
            self._engine.at(self._engine.now + self._chances.ahead_s(), self._keep, artefact)

    def _keep(self, artefact: Artefact) -> None:
        if self._images is not None and artefact not in self._images:
            self._images[artefact] = None
            self._tell(self._kept(self._images))

    def tell_stock(self, tell: Callable[[tuple[str, ...]], None]) -> None:
        """What is kept, now and whenever it has changed; nothing, where no image is kept."""
        self._tell = tell
        if self._images is not None:
            tell(self._kept(self._images))

    @staticmethod
    def _kept(images: Mapping[Artefact, None]) -> tuple[str, ...]:
        """Of more than can be told the latest."""
        return tuple([one for image in images for one in image.digests][-STOCK_MOST:])

    def _made(self, instance: Instance) -> None:
        """Whoever shares cores took longer than planned: all of its steps in proportion."""
        took_s, steps = self._engine.now - instance.made_at, instance.steps
        longer = took_s / steps.total * 1e3 if steps.total > 0 else 0.0
        self._runtime.made(instance, Making(*steps.longer(longer)))

    def _slowed(self) -> float:
        """By how much the memory in use slows down what begins now: not at all up to half, fully when it is full."""
        return 1.0 + self._pressure * max(0.0, 2.0 * self._runtime.held.memory_mb / self.capacity.memory_mb - 1.0)


def _cpu(engine: Engine, hardware: Hardware, cores: int) -> Cpu:
    """
    Raises:
        BadConfig: no core is left.
    """
    if hardware.cpu == "none":
        return Unshared(engine)
    if hardware.background >= cores:
        hint = "set hardware.background to less than system.cores"
        raise BadConfig(f"of {cores} cores {hardware.background:g} are busy with something else", hint)
    if hardware.cpu == "sharing":
        return Shared(engine, cores - hardware.background)
    return Cores(engine, cores, hardware.background)
