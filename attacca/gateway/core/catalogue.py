"""The functions a gateway knows, mirrored from control by numbered messages; a gap asks for the whole."""

import difflib
from heapq import nlargest
from itertools import islice
from operator import attrgetter

import msgspec

from attacca.errors import NotFound, StateUnavailable
from attacca.gateway.core.inflight import Function
from attacca.gateway.core.spending import Spending
from attacca.model.function import Revision
from attacca.model.invocation import Call
from attacca.model.messages import Catalogue, Deleted, Deployed

NEAR_MOST = 3
NEAR_CANDIDATES = 200  # names compared at most: a refusal has to stay cheap
NEAR_LENGTH = 3  # names that differ more than this in length are not near


class AskCatalogue(msgspec.Struct, frozen=True):
    """Something was missed: have control announce the whole Catalogue."""

    known: int
    seen: int


class Functions:
    """By name. Counters and records of a function live as long as its name is deployed."""

    def __init__(self, calls_kept: int) -> None:
        self.by_name: dict[str, Function] = {}
        self.beside: dict[str, Function] = {}  # those that no catalogue names
        self.generation: int | None = None  # None: no Catalogue has come yet
        self.unblamed = 0  # refusals that are no known function's
        self._calls_kept = calls_kept
        self._has_asked = False
        self.spending = Spending()

    def __repr__(self) -> str:
        known = "none yet" if self.generation is None else self.generation
        return f"<Functions {len(self.by_name)}, generation {known}>"

    def learn(self, message: Catalogue | Deployed | Deleted) -> AskCatalogue | None:
        if isinstance(message, Catalogue):
            self._replace(message)
            return None
        known = -1 if self.generation is None else self.generation
        if message.generation <= known:
            return None  # told before
        if self.generation is None or message.generation > known + 1:
            if self._has_asked:
                return None
            self._has_asked = True
            return AskCatalogue(known, message.generation)
        self.generation = message.generation
        match message:
            case Deployed(revision=revision):
                self._adopt(revision)
            case Deleted(function=function):
                self.by_name.pop(function, None)
        return None

    def _adopt(self, revision: Revision) -> None:
        function = self.by_name.get(revision.function)
        if function is None:
            self.by_name[revision.function] = Function(revision, self._calls_kept)
        else:
            function.adopt(revision)

    def _replace(self, message: Catalogue) -> None:
        before = self.by_name
        self.by_name = dict(self.beside)
        for revision in message.current:
            function = before.get(revision.function)
            if function is None:
                function = Function(revision, self._calls_kept)
            elif function.revision_id != revision.id:
                function.adopt(revision)
            self.by_name[revision.function] = function
        self.generation = message.generation
        self._has_asked = False

    def named_in(self, message: Catalogue | Deployed | Deleted) -> list[Function]:
        """Those that are known of those that it may change."""
        if isinstance(message, Catalogue):
            return list(self.by_name.values())
        function = self.by_name.get(message.revision.function if isinstance(message, Deployed) else message.function)
        return [] if function is None else [function]

    def calls(self, function: str | None, limit: int) -> list[Call]:
        """The latest to end come first."""
        if function is not None:
            known = self.by_name.get(function)
            latest = [] if known is None else list(known.recent)[-limit:][::-1] if limit > 0 else []
        else:
            # Of each function the latest: more of them than are asked for are not among those.
            every = (one for known in self.by_name.values() for one in islice(reversed(known.recent), max(limit, 0)))
            latest = nlargest(limit, every, key=attrgetter("at"))
        return [self.spending.shown(one.key, one.call()) for one in latest]

    def call(self, name: str) -> Call | None:
        """None: it has not ended, or is forgotten."""
        for known in self.by_name.values():
            for one in reversed(known.recent):
                if one.id == name:
                    return self.spending.shown(one.key, one.call())
        return None

    def count_refusal(self, name: str, code: str) -> None:
        function = self.by_name.get(name)
        if function is None:
            self.unblamed += 1
        else:
            function.statistics.refuse(code)

    def unknown(self, name: str) -> NotFound | StateUnavailable:
        if self.generation is None:
            what = "this gateway has not heard yet which functions there are"
            return StateUnavailable(what, "send it again in a moment, or to another gateway")
        shown = name if len(name) <= 63 else name[:60] + "..."
        near = self._near(name)
        if near:
            hint = f"did you mean {' or '.join(near)}?"
        elif self.by_name:
            hint = "`attacca list` shows the functions that exist"
        else:
            hint = "no function is deployed yet: `attacca deploy PATH`"
        return NotFound(f"no function is called {shown!r}", hint)

    def _near(self, name: str) -> list[str]:
        if len(name) > 63 + NEAR_LENGTH:
            return []
        candidates = []
        for known in self.by_name:
            if abs(len(known) - len(name)) <= NEAR_LENGTH:
                candidates.append(known)
                if len(candidates) == NEAR_CANDIDATES:
                    break
        return difflib.get_close_matches(name.lower(), candidates, NEAR_MOST)
