"""What a user deploys: a function's settings, and each revision of its code."""

import re
from enum import StrEnum
from functools import cached_property
from typing import Annotated, ClassVar

import msgspec

from attacca.model import accelerators, egress, environment, pods, publishing, purity, schedules
from attacca.model.accelerators import Compute
from attacca.model.machine import Needs
from attacca.model.publishing import Publish
from attacca.model.resources import AROUND, Resources, stated
from attacca.model.schedules import SCHEDULES_MOST, Cron, TimeZone

NAMES = "a letter, then letters, digits and dashes; at most 63, all lower-case"  # an RFC 1035 label
Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?(?!\n)$", description=NAMES)]
Seconds = Annotated[float, msgspec.Meta(gt=0, le=86_400)]
# A module, by its name or its path, and what is in it, perhaps to be called first. Empty: found by itself.
HANDLER = re.compile(r"^(?:[\w-]+(?:[./][\w-]+)*(?::\w+(?:\.\w+)*)?(?:\(\))?)?(?!\n)$")
HANDLER_MOST = 200
Handler = Annotated[str, msgspec.Meta(max_length=HANDLER_MOST, pattern=HANDLER.pattern, description="MODULE:NAME")]
EnvName = Annotated[str, msgspec.Meta(pattern=environment.NAME.pattern)]
SECRET_KB = 64  # of one value
SECRET_NAMES = "a letter or _, then letters, digits, _ and dashes; at most 64"
SECRET_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_-]{0,63}(?!\n)$")
SecretName = Annotated[str, msgspec.Meta(pattern=SECRET_NAME.pattern, description=SECRET_NAMES)]
MODULE = ".wasm"  # what the names of modules and components end with
PROGRAM = "bootstrap"  # an executable in the place of Python: `attacca.guest.find` has the same
MASK = "***"  # shown in the place of a value
Origin = Annotated[
    str, msgspec.Meta(pattern=r"^(\*|https?://[A-Za-z0-9.:\[\]-]{1,255})(?!\n)$", description="an origin")
]

LABEL_MOST = 200
OPTION = r"^[a-z][a-z0-9_]{0,63}(?!\n)$"
Option = Annotated[str, msgspec.Meta(pattern=OPTION, description="policy, or an option")]
OPTIONS_MOST = 32
SCALING = 'policy = "NAME", and the options of that policy'
Label = Annotated[str, msgspec.Meta(max_length=LABEL_MOST)]
ScalingOptions = Annotated[dict[Option, Label | int | float | bool], msgspec.Meta(description=SCALING)]


def is_handler(text: str) -> bool:
    """Can this be what was found in somebody's code?"""
    return len(text) <= HANDLER_MOST and HANDLER.match(text) is not None


class Network(StrEnum):
    """What a sandbox can reach."""

    NONE = "none"
    NAT = "nat"  # what is outside of this machine, by a cable of its own: neither the machine nor other sandboxes
    HOST = "host"


class RuntimeKind(StrEnum):
    """What runs a function."""

    AUTO = "auto"  # by what it is: an image, a program called `bootstrap` with no Python beside it, WebAssembly, Python
    PROCESS = "process"  # Python, imported: the machine's, or that of an image
    CUSTOM = "custom"  # the program `bootstrap`, in any language
    WASM = "wasm"  # a module or a component of WebAssembly
    CONTAINER = "container"  # an image, whose program serves HTTP on $PORT
    MICROVM = "microvm"  # Python, imported in a virtual machine of its own
    KUBERNETES = "kubernetes"  # an image that a Kubernetes cluster pulls, in pods of that


class Scheduling(StrEnum):
    """Who decides where an invocation runs, and how many sandboxes there are."""

    WORKER = "worker"  # a gateway picks a worker, which queues it, and makes and evicts sandboxes as it sees fit
    CLUSTER = "cluster"  # control has sandboxes made and stopped; a gateway holds it until one has a free slot


class SecretAs(StrEnum):
    """How a function is given a secret."""

    ENV = "env"  # an environment variable of its name
    FILE = "file"  # /run/secrets/NAME


class Signature(StrEnum):
    """How a handler wants to be called."""

    EVENT_CONTEXT = "event_context"  # handler(event, context), as on Lambda
    EVENT = "event"  # handler(event)
    ARGS = "args"  # main(args): a dict in, a dict out, as on OpenWhisk
    TEXT = "text"  # handle(req): the body as a text, as on OpenFaaS
    NAMED = "named"  # hello(name="world"): named parameters
    REQUEST = "request"  # f(request): a request of the web framework that the function brings
    WSGI = "wsgi"  # a WSGI application
    ASGI = "asgi"  # an ASGI 3 application
    EVENTS = "events"  # an event function: init, cast, call and stop of a class or a module


class Missed(StrEnum):
    """What becomes of runs that were due while nobody was there."""

    SKIP = "skip"  # they are told, and not made good
    ONCE = "once"  # one run for all of them


class EventShape(StrEnum):
    """What a handler that takes an event is told of the HTTP request."""

    PLAIN = "plain"  # its body alone, decoded, or its query
    HTTP = "http"  # method, path, query, headers, cookies and body
    API_GATEWAY_V1 = "api-gateway-v1"  # the same, as Amazon's REST APIs write it
    API_GATEWAY_V2 = "api-gateway-v2"  # and as its HTTP APIs and function URLs do


ALLOW = f"{egress.SHAPE}, or ADDRESS:PORT/udp each"
ENV = f'NAME = "text" each; where settings are shown, {MASK} stands for every value'
SECRETS = 'NAME = "env" or NAME = "file" each; the value is given by: attacca secret set NAME'
APPLICATIONS = (Signature.REQUEST, Signature.WSGI, Signature.ASGI)
STREAMED = (Signature.WSGI, Signature.ASGI)


class AsyncSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How calls whose answers are fetched later are made: the table `[async]` of `function.toml`."""

    retries: Annotated[int, msgspec.Meta(ge=0, le=100)] = 2  # after the first attempt that ran and failed
    max_age_s: Annotated[float, msgspec.Meta(gt=0, le=604_800)] = 21_600.0  # from the call to its last attempt
    backoff_s: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 1.0  # the first pause at most, each next twice
    backoff_most_s: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 300.0
    at_once: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 10  # attempts of one gateway
    queue: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 10_000  # calls that are not over, of one gateway
    keep_s: Annotated[float, msgspec.Meta(gt=0, le=2_592_000)] = 86_400.0  # how long an answer can be fetched
    keep_dead_s: Annotated[float, msgspec.Meta(gt=0, le=7_776_000)] = 1_209_600.0  # how long a dead call is kept


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """What `function.toml` and the options of `attacca deploy` may say. `first_byte_s` unset means no clock of its own;
    `max_sandboxes` unset means as many as memory holds; `cpus` unset means an equal share. `queue` bounds the
    invocations that wait for a sandbox."""

    name: Name
    handler: Handler | None = None  # "module:attribute" or "directory/module.attribute"; found by itself when unset
    event: EventShape | None = None  # recognised from the handler when unset
    runtime: RuntimeKind = RuntimeKind.AUTO
    image: pods.ImageName = ""  # of runtime = "kubernetes"
    pure: bool = False  # in WebAssembly, with no imports: it computes its answer from its input
    memory_mb: Annotated[int, msgspec.Meta(ge=32, le=1_048_576)] = 128
    timeout_s: Seconds = 30.0  # from the hand-over to a sandbox until the last byte
    first_byte_s: Seconds | None = None  # from the hand-over to a sandbox until the first byte
    wait_s: Seconds = 60.0  # from the arrival until a sandbox takes it
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 1  # invocations at once in one sandbox
    env: Annotated[dict[EnvName, str], msgspec.Meta(description=ENV)] = {}
    secrets: Annotated[dict[SecretName, SecretAs], msgspec.Meta(description=SECRETS)] = {}
    min_sandboxes: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 0
    max_sandboxes: Annotated[int, msgspec.Meta(ge=1, le=10_000)] | None = None
    cpus: Annotated[float, msgspec.Meta(gt=0, le=1024)] | None = None
    gpu: Annotated[float, msgspec.Meta(ge=0, le=64)] = 0.0  # a share of a device, or whole ones; of a sandbox
    gpu_memory_mb: Annotated[int, msgspec.Meta(ge=1, le=16_777_216)] | None = None  # unset: its share of the device's
    compute: Annotated[tuple[Compute, ...], msgspec.Meta(max_length=2)] = ()  # empty: what it asks for
    queue: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 100
    scheduling: Scheduling = Scheduling.WORKER
    network: Network = Network.NONE
    allow: Annotated[tuple[str, ...], msgspec.Meta(description=ALLOW)] = ()  # empty: all that is public
    bandwidth_mbps: Annotated[float, msgspec.Meta(gt=0, le=100_000)] | None = None  # of a sandbox, each way
    publish: Publish = ()  # ports of its workers' machines that lead to its containers
    idempotent: bool = False
    cors: tuple[Origin, ...] = ()  # pages of these may call it: who answers their browsers' questions is the gateway
    application: Label = ""  # what it belongs to, for policies and figures; empty: to itself
    trigger: Label = "http"  # what calls it, for policies
    scaling: ScalingOptions = {}
    placement: Label = ""  # of a sandbox, by control; empty: as the server has it
    async_: AsyncSettings = msgspec.field(name="async", default=AsyncSettings())
    schedule: Annotated[tuple[Cron, ...], msgspec.Meta(max_length=SCHEDULES_MOST)] = ()
    timezone: TimeZone = "UTC"
    missed: Missed = Missed.SKIP

    def __post_init__(self) -> None:
        if self.max_sandboxes is not None and self.min_sandboxes > self.max_sandboxes:
            least, most = f"min_sandboxes ({self.min_sandboxes})", f"max_sandboxes ({self.max_sandboxes})"
            raise ValueError(f"{least} must not exceed {most}")
        if self.first_byte_s is not None and self.first_byte_s > self.timeout_s:
            raise ValueError(f"first_byte_s ({self.first_byte_s:g}) must not exceed timeout_s ({self.timeout_s:g})")
        if len(self.scaling) > OPTIONS_MOST:
            raise ValueError(f"scaling has {len(self.scaling)} keys, and may have {OPTIONS_MOST}")
        if self.scheduling is Scheduling.WORKER and (self.scaling or self.placement):
            which = "scaling" if self.scaling else "placement"
            raise ValueError(f'{which} is decided by control, and so needs scheduling = "cluster"')
        if self.gpu or self.compute or self.gpu_memory_mb:
            accelerators.expect(self)
        pods.expect(self)
        purity.expect(self)
        if self.env:
            environment.expect(self.env)
        if self.secrets:
            environment.expect_secrets(self.secrets, self.secrets_as(SecretAs.ENV), self.env)
        if self.allow or self.bandwidth_mbps is not None or self.publish or self.network is Network.HOST:
            _expect_networking(self)
        if self.schedule or self.timezone != "UTC":
            schedules.expect(self.schedule, self.timezone)

    def __repr__(self) -> str:
        """What is logged or asserted may be read by anybody."""
        shown = {field: getattr(self, field) for field in self.__struct_fields__}
        shown["env"] = dict.fromkeys(self.env, MASK)
        return f"Settings({', '.join(f'{field}={value!r}' for field, value in shown.items())})"

    @cached_property
    def resources(self) -> Resources:
        """What each of its sandboxes holds of a worker: of one that may do without a device, what it holds then."""
        held = stated(self) + AROUND if self.runtime is RuntimeKind.MICROVM else stated(self)
        return held if Compute.CPU not in self.compute else held.without_devices()

    @property
    def is_either(self) -> bool:
        """May each invocation run on a device or without one?"""
        return len(self.compute) > 1

    def on(self, compute: Compute) -> "Settings":
        """Of its sandboxes there."""
        if compute is Compute.GPU:
            return msgspec.structs.replace(self, compute=(Compute.GPU,))
        return msgspec.structs.replace(self, compute=(), gpu=0.0, gpu_memory_mb=None)

    @property
    def reserves(self) -> int:
        """So many of its sandboxes a worker keeps whatever others need; where control places them, it keeps none."""
        return self.min_sandboxes if self.scheduling is Scheduling.WORKER else 0

    def secrets_as(self, kind: SecretAs) -> list[str]:
        return [name for name, wanted in self.secrets.items() if wanted is kind]


def _expect_networking(settings: Settings) -> None:
    if settings.network is Network.HOST and settings.runtime is RuntimeKind.MICROVM:
        raise ValueError('a micro-VM cannot have network = "host"; write "nat" or "none", or runtime = "process"')
    if settings.allow or settings.bandwidth_mbps is not None:
        egress.expect_way_out(settings.allow, is_nat=settings.network is Network.NAT)
    publishing.expect(settings)


class Scale(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a function is to be scaled from now on, without a new revision. What is unset stays as it is; `scaling` has
    the options that are to change, of another policy all of them."""

    min_sandboxes: Annotated[int, msgspec.Meta(ge=0, le=10_000)] | msgspec.UnsetType = msgspec.UNSET
    max_sandboxes: Annotated[int, msgspec.Meta(ge=1, le=10_000)] | msgspec.UnsetType | None = msgspec.UNSET
    scaling: ScalingOptions | msgspec.UnsetType = msgspec.UNSET
    placement: Label | msgspec.UnsetType = msgspec.UNSET

    def of(self, settings: Settings) -> Settings:
        """
        Raises:
            ValueError: they would not fit together.
        """
        wanted = {field: value for field in RESCALED if (value := getattr(self, field)) is not msgspec.UNSET}
        options = wanted.get("scaling")
        if options is not None and options.get("policy") in (None, settings.scaling.get("policy")):
            wanted["scaling"] = {**settings.scaling, **options}
        return msgspec.structs.replace(settings, **wanted)


RESCALED = Scale.__struct_fields__


def masked(settings: Settings) -> Settings:
    """As they may be shown."""
    return msgspec.structs.replace(settings, env=dict.fromkeys(settings.env, MASK))


class PythonDirectory(msgspec.Struct, frozen=True, tag="python"):
    """Code to be imported, and the bundle of what it requires, by the digests of their directories."""

    what: ClassVar[str] = "a directory of Python"
    code: str
    bundle: str | None = None

    @property
    def digests(self) -> tuple[str, ...]:
        return (self.code,) if self.bundle is None else (self.code, self.bundle)


class MicroVm(PythonDirectory, frozen=True, tag="microvm"):
    """The same, to be imported in a virtual machine of its own."""

    what: ClassVar[str] = "a directory of Python in a micro-VM"


class Image(msgspec.Struct, frozen=True, tag="image"):
    """A root file system with a program in it, by the sha256 of its manifest."""

    what: ClassVar[str] = "an image"
    digest: str

    @property
    def digests(self) -> tuple[str, ...]:
        return (self.digest,)


class PythonImage(Image, frozen=True, tag="python-image"):
    """The same, with Python and a function in it, which runs as a process of that Python's."""

    what: ClassVar[str] = "Python in an image"


class PodImage(msgspec.Struct, frozen=True, tag="pod-image"):
    """An image that is nowhere here: the nodes of a Kubernetes cluster pull it, by this reference."""

    what: ClassVar[str] = "an image in a Kubernetes cluster"
    reference: str

    @property
    def digests(self) -> tuple[str, ...]:
        return ()


class WasmModule(msgspec.Struct, frozen=True, tag="wasm"):
    """A module of WebAssembly that is an event function."""

    what: ClassVar[str] = "a WebAssembly module"
    digest: str

    @property
    def digests(self) -> tuple[str, ...]:
        return (self.digest,)


class WasmFunction(msgspec.Struct, frozen=True, tag="wasm-function"):
    """A command of WASI or a component, by the digest of the directory that holds it alone."""

    what: ClassVar[str] = "a function in WebAssembly"
    digest: str

    @property
    def digests(self) -> tuple[str, ...]:
        return (self.digest,)


class Executable(msgspec.Struct, frozen=True, tag="executable"):
    """A program that is its own agent."""

    what: ClassVar[str] = "an executable"
    digest: str

    @property
    def digests(self) -> tuple[str, ...]:
        return (self.digest,)


class ResourceClass(msgspec.Struct, frozen=True, tag="resource"):
    """What a worker's own code does for a workflow: a file's end, a database's door."""

    what: ClassVar[str] = "a resource"
    name: str
    configuration: tuple[tuple[str, str], ...] = ()

    @property
    def digests(self) -> tuple[str, ...]:
        return ()


Artefact = (
    PythonDirectory | MicroVm | Image | PythonImage | PodImage | WasmModule | WasmFunction | Executable | ResourceClass
)


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """One deployed version of a function. The digests of its artefact name what lies in the state directory."""

    function: str
    number: int  # 1, 2, 3, ... within the function
    settings: Settings
    handler: str  # "module:attribute", as found
    signature: Signature
    event: EventShape = EventShape.PLAIN  # as found, or as set
    artefact: Artefact
    created_at: float = 0.0  # seconds since 1970

    @property
    def id(self) -> str:
        return f"{self.function}@{self.number}"

    def is_rescaled(self, other: "Revision") -> bool:
        """Are they the same code, run in the same way, and only as often or elsewhere?"""
        scale = {field: getattr(self.settings, field) for field in RESCALED}
        return msgspec.structs.replace(other, settings=msgspec.structs.replace(other.settings, **scale)) == self

    @property
    def needs(self) -> Needs:
        """What a worker has to give its sandboxes besides room."""
        return self.artefact.what, self.settings.network.value, self.settings.resources.gpu

    @property
    def takes_requests(self) -> bool:
        """Is it told of the whole request, and not of its body alone?"""
        return self.signature in APPLICATIONS or self.event is not EventShape.PLAIN

    @property
    def takes_streams(self) -> bool:
        """Does it take a body that has not arrived yet?"""
        return self.signature in STREAMED
