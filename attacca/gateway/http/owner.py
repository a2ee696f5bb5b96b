"""The connection, as what it holds sees it: where an exchange and its reader turn when something has come to pass."""

from typing import Protocol

from attacca.gateway.http.writer import Ending


class Owner(Protocol):
    def go_on(self) -> None:
        """The answer is out: on to the next request."""

    def break_off(self) -> None:
        """The answer is out, and the last one; or there is none to give."""

    def linger(self) -> None:
        """Let the client read its answer before its unread request makes the kernel reset the connection."""

    def end(self, ending: Ending) -> None:
        """The answer broke off, and so does the connection."""

    def abort(self) -> None: ...
    def wait(self) -> None:
        """For room, without reading on."""

    def update_reading(self) -> None:
        """Read, or stop reading, as the state of things asks."""

    def read_on(self) -> None:
        """The same, and take what waits, as far as it can be taken now."""
