"""Event loops for those who ask for the current one in a thread that has none, as adapters made for Lambda do.

There a handler runs in the main thread, which had one until Python 3.14; with `concurrency` ours run in others.
"""

import asyncio
import warnings


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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # policies are on their way out, and there is no other way
        if type(asyncio.get_event_loop_policy()) is asyncio.DefaultEventLoopPolicy:
            asyncio.set_event_loop_policy(Lending())
