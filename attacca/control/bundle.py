"""Turns a requirements.txt into a directory of installed packages, once for everyone who requires the same."""

import asyncio
import contextlib
import os
import sys
import sysconfig
from collections import deque
from collections.abc import AsyncIterator
from pathlib import Path

from attacca.control.core.requirements import Requirements, masked
from attacca.control.processes import Exit, Limits, compile_code, run_lines
from attacca.control.state import StateDir, place
from attacca.errors import BuildFailed

LAST_LINES = 15  # of pip, in an error
MOST_KB = 512  # kept of what one build says
PASSED_ON = ("HOME", "PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "NETRC")
PASSED_ON_PREFIXES = ("PIP_", "XDG_")
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
NO_WHEEL = ("no matching distribution", "could not find a version", "from versions: none")


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

    def __init__(self, state: StateDir, timeout_s: float, most: int = 4) -> None:
        self._state = state
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(most)
        self._running: dict[str, _Build] = {}

    def digest(self, requirements: Requirements) -> str:
        python = f"{sys.implementation.cache_tag} {sys.version_info.major}.{sys.version_info.minor}"
        return requirements.digest(python, sysconfig.get_platform())

    async def build(self, requirements: Requirements, *, from_source: bool) -> AsyncIterator[str]:
        """Lines of progress; afterwards `bundles/<digest>/` is there. It goes on as long as anyone reads.

        Raises:
            BuildFailed: with the last lines that pip wrote, and what to try; nothing is left of it.
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
            made = directory / "packages"
            (directory / "tmp").mkdir()
            (directory / "requirements.txt").write_text("\n".join([*requirements.lines, ""]))
            arguments = pip_arguments("requirements.txt", made, from_source=from_source)
            last: deque[str] = deque(maxlen=LAST_LINES)
            ended = Exit()
            try:
                async with asyncio.timeout(self._timeout_s):
                    output = run_lines(arguments, environment(directory / "tmp"), directory, Limits(), ended)
                    async with contextlib.aclosing(output):
                        async for line in output:
                            last.append(masked(line))
                            build.say(last[-1])
            except TimeoutError:
                raise BuildFailed(
                    f"pip did not end within {self._timeout_s:g} s\n" + "\n".join(last),
                    "check the network, or set control.build_timeout_s higher",
                ) from None
            if ended.status != 0:
                raise failure(list(last), ended.status, from_source=from_source)
            made.mkdir(exist_ok=True)  # every line may have had a marker that does not hold here
            await compile_code(made, self._timeout_s)
            await asyncio.to_thread(place, made, self._state.bundles / digest)


def pip_arguments(listed: str, target: Path, *, from_source: bool) -> list[str]:
    wheels_only = [] if from_source else ["--only-binary=:all:"]
    return [
        sys.executable, "-I", "-m", "pip", "install", "--target", str(target), "-r", listed, *wheels_only,
        "--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--no-compile",
        "--no-warn-script-location", "--root-user-action", "ignore",
    ]  # fmt: skip


def environment(tmp: Path) -> dict[str, str]:
    """pip's own configuration and the way to the network; nothing else of the server's."""
    found = {
        name: value
        for name, value in os.environ.items()
        if name in PASSED_ON or name.startswith(PASSED_ON_PREFIXES) or name.lower() in PROXIES
    }
    return {**found, "LANG": "C.UTF-8", "TMPDIR": str(tmp)}


def failure(last: list[str], status: int | None, *, from_source: bool) -> BuildFailed:
    said = "\n".join(last)
    lower = said.lower()
    if "no module named pip" in lower:
        hint = "install pip where attacca runs: python -m ensurepip"
    elif "connection" in lower or "name resolution" in lower or "timed out" in lower:
        hint = "the server could not reach the package index; check its network, PIP_INDEX_URL and proxies"
    elif any(words in lower for words in NO_WHEEL):
        hint = "check name and version; for a package without a wheel for this Python: --allow-source-builds"
        hint = "check name and version" if from_source else hint
    else:
        hint = "correct requirements.txt and deploy again"
    return BuildFailed(f"pip ended with status {status}:\n{said}", hint)
