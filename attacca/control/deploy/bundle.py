"""Turns a requirements.txt into a directory of installed packages, once for everyone who requires the same."""

import asyncio
import configparser
import contextlib
import os
import re
import shutil
import sys
import sysconfig
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

from attacca.control.core.packages.failure import LAST_LINES
from attacca.control.core.packages.failure import hint as explained
from attacca.control.core.packages.installer import BOUNDS, LISTED, Installer, arguments, choose, listed, pip_settings
from attacca.control.core.packages.lines import masked
from attacca.control.core.packages.requirements import Requirements
from attacca.control.deploy.processes import Exit, Limits, compile_code, run_lines
from attacca.control.deploy.state import StateDir, place
from attacca.errors import BuildFailed

MOST_KB = 512  # kept of what one build says
MOST_LINES = 300  # of them looked at for why it failed
OWN_PLACE = re.compile(r"Using C?Python .* at: ")  # uv says where the server lies, which is nobody's business
HERE = (
    f"{sys.implementation.name.replace('cpython', 'CPython')} {sys.version_info[0]}.{sys.version_info[1]} "
    f"on {sysconfig.get_platform()}"
)


class _Build:
    """One running build, and those who read along."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.size = 0
        self.readers = 0
        self.changed = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def say(self, line: str) -> None:
        self.size += len(line) + 64
        if self.size <= MOST_KB << 10:
            self.lines.append(line)
            self.wake()

    def wake(self) -> None:
        """Everyone who waits for the next line looks again."""
        self.changed.set()
        self.changed = asyncio.Event()


class Bundles:
    """Builds of the same digest run once at a time; whoever asks meanwhile reads along from the beginning."""

    def __init__(
        self,
        state: StateDir,
        timeout_s: float,
        most: int = 4,
        find_installer: Callable[[Mapping[str, str]], Installer] | None = None,
    ) -> None:
        self._state = state
        self._installer = find_installer or installer
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(most)
        self._running: dict[str, _Build] = {}

    def __repr__(self) -> str:
        readers = sum(build.readers for build in self._running.values())
        return f"<Bundles {len(self._running)} being built, {readers} readers>"

    def digest(self, requirements: Requirements) -> str:
        python = f"{sys.implementation.cache_tag} {sys.version_info.major}.{sys.version_info.minor}"
        return requirements.digest(python, sysconfig.get_platform())

    async def build(self, requirements: Requirements, *, from_source: bool) -> AsyncIterator[str]:
        """Lines of progress; afterwards `bundles/<digest>/` is there. It goes on as long as anyone reads.

        Raises:
            BuildFailed: with the last lines that pip or uv wrote, and what to try; nothing is left of it.
        """
        digest = self.digest(requirements)
        if (self._state.bundles / digest).is_dir():
            yield f"bundle {digest[:12]} is there already"
            return
        key = f"{digest}{from_source}"
        build = self._running.get(key)
        if build is None:
            build = self._running[key] = _Build()
            build.task = asyncio.create_task(self._work(build, digest, requirements, from_source=from_source))
            build.task.add_done_callback(lambda _: self._ended(key, build))
        assert build.task is not None
        build.readers += 1
        seen = 0
        try:
            while True:
                while seen < len(build.lines):
                    seen += 1
                    yield build.lines[seen - 1]
                if build.task.done():
                    break
                await build.changed.wait()
            build.task.result()
        finally:
            build.readers -= 1
            if build.readers == 0 and not build.task.done():
                build.task.cancel()
                self._forget(key, build)  # whoever comes now begins anew

    async def close(self) -> None:
        tasks = [build.task for build in self._running.values() if build.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, key: str, build: _Build) -> None:
        self._forget(key, build)
        build.wake()

    def _forget(self, key: str, build: _Build) -> None:
        if self._running.get(key) is build:
            del self._running[key]

    async def _work(self, build: _Build, digest: str, requirements: Requirements, *, from_source: bool) -> None:
        if self._slots.locked():
            build.say("waiting for other builds to end")
        async with self._slots, self._state.unfinished() as directory:
            made, tmp = directory / "packages", directory / "tmp"
            tmp.mkdir()
            chosen = await asyncio.to_thread(self._installer, os.environ)
            (directory / LISTED).write_text(listed(chosen, requirements))
            (directory / BOUNDS).write_text("\n".join([*requirements.constraints, ""]))
            words = arguments(chosen, requirements, made, sys.executable, from_source=from_source)
            environment = {**chosen.environment, "LANG": "C.UTF-8", "TMPDIR": str(tmp)}
            last: deque[str] = deque(maxlen=MOST_LINES)
            ended = Exit()
            try:
                async with asyncio.timeout(self._timeout_s):
                    output = run_lines(words, environment, directory, Limits(), ended)
                    async with contextlib.aclosing(output):
                        async for line in output:
                            if OWN_PLACE.match(line):
                                continue
                            last.append(masked(line))
                            build.say(last[-1])
            except TimeoutError:
                raise BuildFailed(
                    f"{chosen.name} did not end within {self._timeout_s:g} s\n" + "\n".join([*last][-LAST_LINES:]),
                    "check the network, or set control.build_timeout_s higher",
                ) from None
            if ended.status != 0:
                raise failure(list(last), ended.status, chosen.name, from_source=from_source)
            (made / ".lock").unlink(missing_ok=True)  # uv's
            made.mkdir(exist_ok=True)  # every line may have had a marker that does not hold here
            await compile_code(made, self._timeout_s)
            await asyncio.to_thread(place, made, self._state.bundles / digest)


def installer(environ: Mapping[str, str]) -> Installer:
    """Blocking: reads pip's configuration, as far as it is there."""
    home = Path(environ.get("HOME", "/root"))
    places = [
        Path("/etc/xdg/pip/pip.conf"), Path("/etc/pip.conf"), home / ".pip" / "pip.conf",
        Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "pip" / "pip.conf",
        Path(sys.prefix) / "pip.conf", Path(environ.get("PIP_CONFIG_FILE") or os.devnull),
    ]  # fmt: skip
    files = []
    for path in places:
        read = configparser.RawConfigParser()
        try:
            read.read(path, encoding="utf-8")
        except (configparser.Error, ValueError):  # pip says what is wrong with it
            return choose(None, sys.executable, environ, {})
        files.append({section: dict(read[section]) for section in read.sections()})
    uv = shutil.which("uv", path=environ.get("PATH"))
    return choose(uv, sys.executable, environ, pip_settings(environ, files))


def failure(said: list[str], status: int | None, name: str, *, from_source: bool) -> BuildFailed:
    what, hint = explained(said, name, HERE, from_source=from_source)
    last = "\n".join(said[-LAST_LINES:])
    return BuildFailed(f"{what}\n" * bool(what) + f"{name} ended with status {status}:\n{last}", hint)
