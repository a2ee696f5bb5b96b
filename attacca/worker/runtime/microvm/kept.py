"""Templates that outlast their server: what a machine was when it had imported the code, kept on the disk.

a template is saved ──▶ keep ──▶ its memory and state have names      the server starts anew ──▶ find ──▶ ready at once
dropped by the worker ──▶ forget

What is kept is the function's own and nobody else's, and of no function that is told secrets: they are in its memory.
"""

import asyncio
import contextlib
import hashlib
import logging
import os
from pathlib import Path
from typing import Final

import msgspec

from attacca.model.function import MicroVm, Revision
from attacca.worker.runtime.microvm.monitor import Left, SavedMachine
from attacca.worker.runtime.process import untrusted
from attacca.worker.runtime.process.options import ProcessOptions

MEMORY, STATE, TOLD = "memory", "state", "json"  # the last is there when all is
LOG: Final = logging.getLogger("attacca.worker")
UNTIMED: Final = dict.fromkeys(("sandbox_ms", "code_ms", "imports_ms", "network_ms", "readiness_ms"), 0.0)


class FoundTemplate(msgspec.Struct, frozen=True):
    """One that is there already, and whose import was long ago."""

    left: Left
    told: untrusted.Imported


class KeptTemplates:
    """Below `place`; `code` holds what is deployed, by the server whose they are. `most_mb` bounds what all of them
    take; 0: none is kept."""

    def __init__(self, place: Path, code: Path, shared: ProcessOptions, most_mb: int) -> None:
        self._place, self._code, self._shared, self._most = place, code, shared, most_mb << 20
        self._keeping: dict[str, asyncio.Task[None]] = {}

    def __repr__(self) -> str:
        return f"<KeptTemplates at most {self._most >> 20} MB, {len(self._keeping)} being kept>"

    def name(self, revision: Revision, base: str) -> str:
        """Of its template, made from the machine of the name `base`; empty: none is kept."""
        settings, artefact = revision.settings, revision.artefact
        if not self._most or settings.secrets or not isinstance(artefact, MicroVm):
            return ""
        of = msgspec.json.encode((base, str(self._code), revision.function, artefact, settings, self._shared))
        return f"{_hashed(base.encode())}-{artefact.code}-{_hashed(of)}"

    async def find(self, name: str, user: int | None) -> FoundTemplate | None:
        """Open, and `user`'s; close what it has left."""
        return await asyncio.to_thread(self._find, name, user) if name else None

    def keep(self, name: str, left: Left, told: untrusted.Imported) -> None:
        """`left` may be closed meanwhile."""
        if name and name not in self._keeping:
            files = os.dup(left.memory.fileno()), os.dup(left.state.fileno())
            task = asyncio.get_running_loop().create_task(asyncio.to_thread(self._keep, name, files, told))
            self._keeping[name] = task
            task.add_done_callback(lambda _: self._keeping.pop(name))

    def forget(self, name: str) -> None:
        """Whoever has it open keeps it."""
        if (task := self._keeping.get(name)) is not None:
            task.add_done_callback(lambda _: self._remove(name))
        elif name:
            self._remove(name)

    async def close(self) -> None:
        if self._keeping:
            await asyncio.wait(self._keeping.values())

    def open(self) -> None:
        """What was begun and not finished goes, and so does what is of code that is deployed no longer. Blocking."""
        with contextlib.suppress(FileNotFoundError):
            for path in self._place.iterdir():
                name = path.name.partition(".")[0]
                if not (self._code / name.split("-", 1)[-1].rpartition("-")[0]).exists() or not self._is_whole(name):
                    path.unlink(missing_ok=True)

    def _is_whole(self, name: str) -> bool:
        return all(self._path(name, part).exists() for part in (MEMORY, STATE, TOLD))

    def _path(self, name: str, part: str) -> Path:
        return self._place / f"{name}.{part}"

    def _find(self, name: str, user: int | None) -> FoundTemplate | None:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError, msgspec.MsgspecError):
            told = untrusted.imported(self._path(name, TOLD).read_bytes())
            memory = stack.enter_context(open(self._path(name, MEMORY), "rb"))
            state = stack.enter_context(open(self._path(name, STATE), "rb"))
            if user is not None:
                os.fchown(memory.fileno(), user, user)
            os.utime(self._path(name, TOLD))
            stack.pop_all()
            saved = SavedMachine(*(Path(f"/proc/self/fd/{one.fileno()}") for one in (memory, state)))
            return FoundTemplate(Left(memory, state, saved), msgspec.structs.replace(told, logs="", **UNTIMED))
        return None

    def _keep(self, name: str, files: tuple[int, int], told: untrusted.Imported) -> None:
        try:
            self._place.mkdir(mode=0o700, exist_ok=True)
            if not self._has_room(sum(map(_size, files)), name):
                return
            for one, part in zip(files, (MEMORY, STATE), strict=True):
                os.fsync(one)
                # with a descriptor of a directory, which it does not need, it follows the link that the first name is
                os.link(f"/proc/self/fd/{one}", self._path(name, part), src_dir_fd=one, follow_symlinks=True)
            self._path(name, TOLD).write_bytes(msgspec.json.encode(told))
        except OSError as error:
            LOG.warning("a template of a micro-VM is not kept beyond this run: %s", error)
            self._remove(name)
        finally:
            for one in files:
                os.close(one)

    def _has_room(self, size: int, name: str) -> bool:
        """When those that were used longest ago have gone."""
        self._remove(name)
        there = sorted(self._place.glob(f"*.{TOLD}"), key=lambda path: path.stat().st_mtime)
        sizes = {path.stem: sum(_size(self._path(path.stem, part)) for part in (MEMORY, STATE)) for path in there}
        for old in sizes:
            if size + sum(sizes.values()) <= self._most:
                break
            sizes[old] = 0
            self._remove(old)
        return size <= self._most

    def _remove(self, name: str) -> None:
        for part in (TOLD, MEMORY, STATE):
            with contextlib.suppress(OSError):
                self._path(name, part).unlink()


def _size(of: Path | int) -> int:
    return os.stat(of).st_blocks * 512


def _hashed(of: bytes) -> str:
    return hashlib.sha256(of).hexdigest()[:32]
