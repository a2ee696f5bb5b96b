"""Event loops: the one that a sandbox works on, and those for who asks for one where there is none.

Adapters made for Lambda do: there a handler runs in the main thread, which had one until Python 3.14; with
`concurrency` ours run in others.
"""

import asyncio
import warnings
from collections.abc import Callable
from selectors import EVENT_READ, EpollSelector, SelectorKey


class ChannelSelector(EpollSelector):
    """What the loop waits with. What its channel brings is taken here, before the loop sees what else there is: so a
    request is begun in the turn that finds it, and not in the next."""

    def __init__(self) -> None:
        super().__init__()
        self._channel = -1
        self._take: Callable[[], object] | None = None

    def __repr__(self) -> str:
        return f"<ChannelSelector {len(self.get_map() or ())} registered, channel {self._channel}>"

    def serve_first(self, channel: int, take: Callable[[], object]) -> None:
        self._channel, self._take = channel, take

    def select(self, timeout: float | None = None) -> list[tuple[SelectorKey, int]]:
        found = super().select(timeout)
        for place, (key, events) in enumerate(found):
            if key.fd == self._channel and events & EVENT_READ and self._take is not None:
                del found[place]
                self._take()
                break
        return found


def new_loop() -> tuple[asyncio.AbstractEventLoop, ChannelSelector | None]:
    """A loop that waits with this, unless the function has chosen a policy itself."""
    if not is_ordinary():
        return asyncio.new_event_loop(), None
    selector = ChannelSelector()
    return asyncio.SelectorEventLoop(selector), selector


def is_ordinary() -> bool:
    """Has the function chosen no policy of its own?"""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # policies are on their way out, and there is no other way
        return type(asyncio.get_event_loop_policy()) is asyncio.DefaultEventLoopPolicy


class Lending(asyncio.DefaultEventLoopPolicy):
    """Makes one when it is asked for."""

    def get_event_loop(self) -> asyncio.AbstractEventLoop:
        try:
            return super().get_event_loop()
        except RuntimeError:
            loop = self.new_event_loop()
            self.set_event_loop(loop)
            return loop


def lend() -> None:
    """A policy that the function has chosen itself is left alone."""
    if is_ordinary():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            asyncio.set_event_loop_policy(Lending())
