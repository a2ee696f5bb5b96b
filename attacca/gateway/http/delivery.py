"""A request whose answer does not come from a sandbox, and not at once: the journal is asked, or written, first."""

from collections.abc import Awaitable, Callable

from attacca.errors import AttaccaError
from attacca.gateway.http import response
from attacca.gateway.http.asgi_adapter import Answers
from attacca.gateway.http.response import Whole


class Delivery:
    """An upload.Sink whose body is here already; it is told when the client has gone."""

    __slots__ = ("_answers", "is_over")

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self.is_over = False

    def __repr__(self) -> str:
        return f"<Delivery {'over' if self.is_over else 'under way'}>"

    def respond(self, answer: Whole) -> None:
        if not self.is_over:
            self.is_over = True
            self._answers.respond(answer)

    def reject(self, error: AttaccaError) -> None:
        self.respond(response.of_error(error))

    async def finish(self, work: Callable[[], Awaitable[Whole]]) -> None:
        """Answer with what comes of it."""
        try:
            self.respond(await work())
        except AttaccaError as error:
            self.reject(error)

    @property
    def is_full(self) -> bool:
        return False

    def feed(self, data: bytes, *, last: bool) -> None:
        """There is no more."""

    def open(self) -> None:
        """There is no more."""

    def flow(self, *, paused: bool) -> None:
        """There is no more."""

    def choke(self, *, paused: bool) -> None:
        """The answer is whole."""

    def lost(self) -> None:
        self.is_over = True
