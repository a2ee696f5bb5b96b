"""The control plane at work: deploys, rolls back and deletes; durable first, then announced, then acknowledged."""

import asyncio
import contextlib
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Sequence

import msgspec

from attacca.control.config import ControlConfig
from attacca.control.core.access import refuse_host_network
from attacca.control.core.catalogue import CatalogueState, Function, changes, deployed, rolled_back
from attacca.control.core.progress import Done, Progress, Refused, Step, refused, refused_check
from attacca.control.core.stored import FUNCTIONS, decode, unreadable
from attacca.control.deploy import garbage
from attacca.control.deploy.build import Builder, Check, Made, ProgressStream, candidate
from attacca.control.deploy.reception import Reception, Upload
from attacca.control.deploy.state import StateDir
from attacca.control.secrets import Secrets
from attacca.control.tokens import Tokens
from attacca.errors import AttaccaError, BadFunction, Draining, SecretInUse, StateUnavailable
from attacca.io.store.types import ABSENT, Store
from attacca.io.vault.sealed import SealedVault
from attacca.kernel.clock import Clock
from attacca.model.function import Network, Revision, Settings, is_handler
from attacca.model.messages import Catalogue, Deleted, Deployed

LOG = logging.getLogger("attacca.control")
EPOCH = "epoch"
EPOCHS = re.compile(rb"[0-9]{1,9}")
Announce = Callable[[Catalogue | Deployed | Deleted], None]
Held = Callable[[], Collection[Revision]]  # what workers have a sandbox, a template or an invocation of
Refuse = Callable[[Settings], AttaccaError | None]  # why workers cannot keep what these settings reserve


class Control:
    """Owns the catalogue of one domain. Deployments of one function take turns; those of several go side by side.

    `held` keeps the code of a revision that is gone from the catalogue until its last sandbox is gone too.
    `is_ordinary_user`: sandboxes run as the server's own user, as they do unless that is root.
    """

    def __init__(
        self,
        config: ControlConfig,
        store: Store,
        clock: Clock,
        check: Check,
        announce: Announce,
        held: Held = tuple,
        refuse: Refuse = lambda _: None,
        *,
        is_ordinary_user: bool = False,
    ) -> None:
        self._store = store
        self._clock = clock
        self._check = check
        self._announce = announce
        self._refuse = refuse
        self._registering = asyncio.Lock()
        self.state = StateDir(config.state_dir)
        self.reception = Reception(self.state.tmp, config.uploads, config.archive.packed_mb)
        self.tokens = Tokens(store, clock)
        vault = SealedVault(config.secret_key_file or self.state.secret_key)
        self.secrets = Secrets(store, vault, clock)
        self._builder = Builder(config, self.state)
        self._garbage = garbage.Collector(self.state, self._kept, held)
        self._known = CatalogueState((), epoch=0)
        self._versions: dict[str, int] = {}
        self._turns = KeyedLock()
        self._tasks: set[asyncio.Task[Done | Refused]] = set()
        self._is_closing = False
        self._is_ordinary_user = is_ordinary_user
        self.is_uid_shared = False  # since this start, sandboxes with the host's network may run as the server's user

    async def open(self) -> None:
        """Take the state directory, read the catalogue and announce it.

        Raises:
            BadConfig: another server uses the state directory.
            StateCorrupt: the catalogue cannot be read, or is new where there is code already.
        """
        self.state.lock()
        try:
            await self._read()
            self._tell_missing()
        except BaseException:
            self.state.unlock()
            raise
        await self._garbage.collect()
        self._announce(self._known.catalogue())

    async def close(self) -> None:
        """Give up what is being deployed, and let the state directory go. The store is its owner's to close."""
        self._is_closing = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._builder.close()
        await self.tokens.close()
        await self._garbage.close()
        self.state.unlock()

    def catalogue(self) -> Catalogue:
        """For a plane that missed a generation."""
        return self._known.catalogue()

    def deploy(
        self, settings: Settings, upload: Upload, *, allow_source_builds: bool = False
    ) -> AsyncGenerator[Progress, None]:
        """Says how it goes; the last word is Done or Refused, and only after Done is there anything to be found.

        A reader who goes away ends it, unless the check has begun: from there on it runs to its end. It begins at once,
        and closes the upload, also when nobody reads.
        """
        stream, checking = ProgressStream(), asyncio.Event()
        work = self._deploy(settings, upload, stream, checking, allow_source_builds=allow_source_builds)
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: stream.end())
        task.add_done_callback(lambda _: upload.close())
        return self._read_along(task, stream, checking)

    @staticmethod
    async def _read_along(
        task: "asyncio.Task[Done | Refused]", stream: ProgressStream, checking: asyncio.Event
    ) -> AsyncGenerator[Progress, None]:
        try:
            async for step in stream.read():
                yield step
            yield outcome(task)
        finally:
            if not checking.is_set():
                task.cancel()

    async def rollback(self, name: str, to: int | None = None) -> Revision:
        """
        Raises:
            NotFound: no such function or revision.
            BadRequest: it is current already.
            SecretMissing: it asks for one that is not set any more.
            TooMuchReserved: its min_sandboxes do not fit beside those of the others.
        """
        async with self._turns.of(name):
            function = rolled_back(self._known.get(name), to)
            self.secrets.expect_all_of(function.now.settings)
            await self._register(function)
            return function.now

    async def delete(self, name: str) -> None:
        """
        Raises:
            NotFound: no such function.
        """
        async with self._turns.of(name):
            self._known.get(name)
            await self._store.delete(FUNCTIONS + name, self._versions[name])
            del self._versions[name]
            self._announce(self._known.remove(name))
        await self._garbage.collect()

    def users_of(self, secret: str) -> Sequence[str]:
        """The functions whose current revisions ask for it."""
        return [name for name in self._known.names() if secret in self._known.get(name).now.settings.secrets]

    async def delete_secret(self, name: str, *, force: bool) -> Sequence[str]:
        """The functions that ask for it all the same.

        Raises:
            NotFound: there is no such secret.
            SecretInUse: a function asks for it, and could not start without.
        """
        self.secrets.expect(name)
        users = self.users_of(name)
        if users and not force:
            raise SecretInUse(
                f"{name} is asked for by {', '.join(users[:5])}{' and others' * (len(users) > 5)}",
                f"deploy without it first; or attacca secret delete {name} --force, and they start no more",
            )
        await self.secrets.delete(name)
        return users

    def functions(self) -> Sequence[Function]:
        """By name."""
        return [self._known.get(name) for name in self._known.names()]

    def function(self, name: str) -> Function:
        """
        Raises:
            NotFound: no such function; with near names.
        """
        return self._known.get(name)

    async def _deploy(
        self, settings: Settings, upload: Upload, stream: ProgressStream, checking: asyncio.Event, *,
        allow_source_builds: bool,
    ) -> Done | Refused:  # fmt: skip
        if self._is_closing:
            return refused(Draining("the server is shutting down", "deploy again when it is back"))
        try:
            async with self._turns.of(settings.name), self._garbage.held_off():
                await self._admit(settings)
                made = await self._builder.make(upload, stream.say, allow_source_builds=allow_source_builds)
                checking.set()
                return await self._check_and_register(settings, made, stream)
        except AttaccaError as error:
            return refused(error)
        except OSError as error:
            what = f"the server cannot keep the code in {self.state.path}: {error.strerror or error}"
            return refused(StateUnavailable(what, "free space there, or check its mode, and deploy again"))
        finally:
            await self._garbage.collect()

    async def _admit(self, settings: Settings) -> None:
        """Before the code runs, which is at the check.

        Raises:
            Forbidden: it would have more rights than its deployer was asked for.
            SecretMissing: it asks for one that is not set.
            TooMuchReserved: its min_sandboxes do not fit beside those of the others.
        """
        refusal = self._refuse(settings)
        if refusal is not None:
            raise refusal
        self.secrets.expect_all_of(settings)
        if self._is_ordinary_user and settings.network is Network.HOST:
            forbidden = refuse_host_network(has_token=bool(await self.tokens.all()))
            if forbidden is not None:
                raise forbidden
            self.is_uid_shared = True

    async def _check_and_register(self, settings: Settings, made: Made, stream: ProgressStream) -> Done | Refused:
        number = self._known.next_number(settings.name)
        revision = candidate(settings, made, number, self._clock.wall())
        stream.say(Step("check", f"importing revision {number}"))
        checked = await self._check(revision)
        for line in checked.logs.splitlines():
            stream.say(Step("log", line))
        for note in checked.notes:
            stream.say(Step("note", note))
        refusal = refused_check(checked)
        if refusal is not None:
            return refusal
        if not is_handler(checked.revision.handler):  # the code itself has a hand in what is found in it
            return refused(BadFunction("what was found as the handler is no name of one", "name it with --handler"))
        before = self._known.find(settings.name)
        function = deployed(before, checked.revision)
        try:
            await self._register(function)
        except BaseException:
            self._known.reserve(settings.name, number)  # a worker may hold a template under this number
            raise
        return Done(
            checked.revision,
            checked.timing.imports,
            None if before is None else before.current,
            changes(None if before is None else before.now, checked.revision),
        )

    async def _read(self) -> None:
        functions = []
        for entry in await self._store.scan(FUNCTIONS):
            functions.append(decode(entry.key, entry.value))
            self._versions[functions[-1].name] = entry.version
        self._known = CatalogueState(functions, await self._next_epoch())
        hosts = [revision.settings.network is Network.HOST for revision in self._known.kept()]
        self.is_uid_shared = self._is_ordinary_user and any(hosts)
        await self.tokens.open()
        await self.secrets.open()

    def _tell_missing(self) -> None:
        """The others work; and who deploys this one again has it back."""
        for revision in self._known.catalogue().current:
            for path in self.state.missing(revision.code, revision.bundle):
                LOG.warning(
                    "%s cannot start: %s is gone; deploy it again, or restore that directory", revision.id, path
                )

    async def _register(self, function: Function) -> None:
        """One after the other: two that fit, each for itself, need not fit together."""
        async with self._registering:
            refusal = self._refuse(function.now.settings)
            if refusal is not None:
                raise refusal
            await self._put(function)

    async def _put(self, function: Function) -> None:
        key = FUNCTIONS + function.name
        version = self._versions.get(function.name, ABSENT)
        entry = await self._store.put_if(key, msgspec.json.encode(function), version)
        self._versions[function.name] = entry.version
        self._announce(self._known.put(function))

    async def _next_epoch(self) -> int:
        """Generations of this run are greater than those of every run before."""
        entry = await self._store.get(EPOCH)
        if entry is None:
            self.state.expect_no_code()
        if entry is not None and EPOCHS.fullmatch(entry.value) is None:
            raise unreadable(EPOCH, "it is not a number that counts starts")
        epoch = 1 if entry is None else int(entry.value) + 1
        await self._store.put_if(EPOCH, str(epoch).encode(), ABSENT if entry is None else entry.version)
        return epoch

    def _kept(self) -> Sequence[Revision]:
        return self._known.kept()


class KeyedLock:
    """One at a time per name; a name that nobody waits for costs nothing."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @contextlib.asynccontextmanager
    async def of(self, name: str) -> AsyncIterator[None]:
        lock, users = self._locks.get(name, (asyncio.Lock(), 0))
        self._locks[name] = lock, users + 1
        try:
            async with lock:
                yield
        finally:
            lock, users = self._locks[name]
            if users == 1:
                del self._locks[name]
            else:
                self._locks[name] = lock, users - 1


def outcome(task: "asyncio.Task[Done | Refused]") -> Done | Refused:
    if task.cancelled():
        return refused(Draining("the server is shutting down", "deploy again when it is back"))
    return task.result()
