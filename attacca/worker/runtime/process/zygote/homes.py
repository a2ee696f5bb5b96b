"""The file systems that sandboxes are born in whose function has had one before: see `worker.runtime.process.homes`."""

import os

from attacca.worker.runtime.process.zygote import linux
from attacca.worker.runtime.process.zygote.spawn_spec import NEW_HOME


class HeldHomes:
    """The zygote's. It lives in the one that was entered last, or in its hall, of which its next child gets a copy."""

    def __init__(self, processes: int) -> None:
        """`processes` is a descriptor of a /proc in which this process is seen."""
        self._processes = processes
        self._held: dict[int, int] = {}  # descriptors by number
        self._hall = -1  # the same of where it lived first, once it is held
        self._here = 0  # the number of where it lives
        self._waits: tuple[int, int] | None = None  # a pipe by which a child is told to go on

    def __repr__(self) -> str:
        return f"<HeldHomes {len(self._held)}, in {self._here}>"

    def enter(self, word: int) -> None:
        """Live in the one of that number; with 0 or a new one, in the hall.

        Raises:
            OSError: there is none.
        """
        number = 0 if word & NEW_HOME else word
        if number != self._here:
            if self._hall < 0:
                self._hall = self._of("self")
            held = self._held.get(number, -1) if number else self._hall
            linux.join(held, linux.CLONE_NEWNS)
            self._here = number
        self._waits = os.pipe2(os.O_CLOEXEC) if word & NEW_HOME else None

    def wait(self) -> None:
        """In the child that was born: until its file system is held, which it will leave."""
        if self._waits is not None:
            reader, writer = self._waits
            os.close(writer)
            os.read(reader, 1)
            os.close(reader)

    def hold(self, word: int, pid: int) -> None:
        """What that child, which waits, is about to put together; with -1 there is no child."""
        if self._waits is None:
            return
        waits, self._waits = self._waits, None
        try:
            if pid > 0:
                self.forget(number := word & ~NEW_HOME)
                self._held[number] = self._of(str(pid))
        except OSError:  # it has ended; who is to be born there is refused
            pass
        finally:
            for descriptor in waits:
                os.close(descriptor)

    def forget(self, number: int) -> None:
        """Let go of it."""
        if (held := self._held.pop(number, -1)) >= 0:
            os.close(held)
        if number == self._here:
            self.enter(0)

    def _of(self, process: str) -> int:
        return os.open(f"{process}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._processes)
