"""The admin API as stories: deploy, invoke, roll back, delete, tokens, restarts, against a catalogue made of a dict."""

import asyncio
import gzip
import json
from random import Random
from typing import Any, NamedTuple, TypeVar, cast

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, get_state_machine_test, invariant, precondition, rule

from attacca.client.source import multipart
from attacca.control.core.catalogue import KEPT_REVISIONS
from tests.fuzz.door import Door
from tests.fuzz.doors.archives import end, entry
from tests.fuzz.house import House
from tests.fuzz.mutation import UNICODE
from tests.fuzz.reading import Answer

T = TypeVar("T")
NAMES = ("a", "b", "long-name")
STEPS, STORIES = 25, 4
PATIENCE_S = 10.0
BAD_CODE = (b"", b"no archive", gzip.compress(b"no tar"), gzip.compress(entry("../up", b"x") + end()))
BAD_SETTINGS = (
    *(
        "",
        "{",
        "[]",
        '{"name":1}',
        '{"name":"A"}',
        '{"name":"a\\n"}',
        '{"name":"a","memory_mb":1e400}',
        '{"name":"a","x":1}',
        "9" * 5000,
    ),
    *(
        "[" * 100_000,
        '{"name":"a","env":{"A":"\\ud800"}}',
        '{"name":"a","timeout_s":NaN}',
        '{"name":"a","queue":-1}',
        '{"name":"a\x00"}',
    ),
)
BODIES = (
    *("", "{", "null", "[]", "[" * 100_000, '{"to":1e400}', '{"to":"1"}', '{"to":true}', '{"to":1.5}', '{"name":1}',
      '{"count":0}', '"\\ud800"'),
    *(f'{{"{key}":{number}}}' for key in ("to", "count") for number in ("-1", "9" * 30, "9" * 5000,
      "9223372036854775808")),
    *(f'{{"name":{json.dumps("x" + text)}}}' for text in UNICODE), '{"templates":1}',
      '{"name":"' + "x" * 100_000 + '"}',
)  # fmt: skip
PATHS = (
    *(
        "functions",
        "functions/",
        "functions/a",
        "functions/a/rollback",
        "functions/a/prewarm",
        "functions/a/evict",
        "functions/a/logs",
    ),
    *(
        "functions/%00",
        "functions/%ff",
        "functions/a%2fb",
        "functions/../tokens",
        "functions/" + "x" * 3000,
        "tokens",
        "tokens/x",
        "tokens/%2e%2e",
    ),
    *(
        "secrets",
        "secrets/A",
        "secrets/A?force=true",
        "secrets/A?force=x",
        "secrets/A.B",
        "secrets/%00",
        "secrets/" + "A" * 65,
    ),
    *(
        "calls?limit=1&limit=2",
        "calls?limit=-1",
        "calls?limit=" + "9" * 5000,
        "calls?function=%ff",
        "functions/a/logs?since=nan",
        "functions/a/logs?since=1e400",
    ),
    *(
        "workers",
        "info",
        "schema",
        "schema/openapi.json",
        "",
        "é",
        "calls?limit=٣",
        "functions/a/logs?since=inf",
        "functions/a/logs?follow=maybe",
    ),
)
METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")


class Kept(NamedTuple):
    """A function, as we know it from what we were told."""

    current: int
    last: int
    revisions: tuple[int, ...]
    memory_mb: int


class Stories(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.house = House()
        self.known: dict[str, Kept] = {}
        self.given: dict[str, int] = {}  # the last number of every name that was there since the start
        self.tokens: dict[str, str] = {}

    def teardown(self) -> None:
        self.house.close()

    # What goes well.

    @rule(name=st.sampled_from(NAMES), memory_mb=st.sampled_from((64, 128)), text=st.sampled_from(("one", "two")))
    def deploy(self, name: str, memory_mb: int, text: str) -> None:
        self._deployed(
            name, memory_mb, self.house.ask("POST", *deployment({"name": name, "memory_mb": memory_mb}, text))
        )

    @rule(name=st.sampled_from(NAMES))
    def deploy_twice_at_once(self, name: str) -> None:
        asking = [
            self.house.asking("POST", *deployment({"name": name, "memory_mb": 64}, text)) for text in ("one", "two")
        ]

        async def both() -> list[Answer]:
            return await asyncio.gather(*asking)

        for answer in sorted(self.house.run(both()), key=lambda one: cast(int, last(one)["done"]["revision"])):
            self._deployed(name, 64, answer)

    def _deployed(self, name: str, memory_mb: int, answer: Answer) -> None:
        assert answer.status == 200, answer
        done, before = last(answer)["done"], self.known.get(name)
        number = max(self.given.get(name, 0), before.last if before else 0) + 1
        assert (done["function"], done["revision"]) == (name, number), "a number is given twice, or left out"
        assert done["replaced"] == (before.current if before else None)
        kept = (*(before.revisions if before else ()), number)[-KEPT_REVISIONS:]
        self.known[name] = Kept(number, number, kept, memory_mb)
        self.given[name] = number

    @rule(name=st.sampled_from(NAMES), to=st.none() | st.integers(-1, 8))
    def roll_back(self, name: str, to: int | None) -> None:
        answer = self._post(f"/api/functions/{name}/rollback", {"to": to})
        function = self.known.get(name)
        earlier = [one for one in function.revisions if one < function.current] if function else []
        wanted = (earlier[-1] if earlier else None) if to is None else to
        if function is None or wanted not in function.revisions:
            assert answer.status == 404, answer
        elif wanted == function.current:
            assert answer.status == 400, answer
        else:
            assert (answer.status, value(answer)["revision"]) == (200, wanted), answer
            self.known[name] = function._replace(current=wanted)

    @rule(name=st.sampled_from(NAMES))
    def delete(self, name: str) -> None:
        assert self.house.ask("DELETE", f"/api/functions/{name}").status == (204 if name in self.known else 404)
        self.known.pop(name, None)

    @rule(name=st.sampled_from(NAMES), is_prewarmed=st.booleans())
    def give_orders(self, name: str, is_prewarmed: bool) -> None:  # noqa: FBT001 - drawn
        before = len(self.house.worker.orders)
        answer = self._post(f"/api/functions/{name}/{'prewarm' if is_prewarmed else 'evict'}", {})
        assert answer.status == (202 if name in self.known else 404)
        assert len(self.house.worker.orders) - before == (name in self.known)

    @rule()
    def restart(self) -> None:
        self.house.restart()
        self.given = {name: function.last for name, function in self.known.items()}

    @rule(name=st.text(max_size=10))
    def make_token(self, name: str) -> None:
        answer = self._post("/api/tokens", {"name": name})
        assert answer.status in (201, 400), answer
        if answer.status == 201:
            made = value(answer)
            assert self.house.ask("GET", "/api/info", token=made["token"]).status == 200
            self.tokens[made["id"]] = made["token"]

    @precondition(lambda self: self.tokens)
    @rule(data=st.data())
    def revoke_token(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.tokens)))
        secret = self.tokens.pop(name)
        assert self.house.ask("DELETE", f"/api/tokens/{name}").status == 204
        assert self.house.ask("GET", "/api/info", token=secret).status == 401, "it opens the door all the same"
        assert self.house.ask("DELETE", f"/api/tokens/{name}").status == 404

    # What does not.

    @rule(said=st.sampled_from(BAD_SETTINGS))
    def deploy_with_bad_settings(self, said: str) -> None:
        refused(self.house.ask("POST", *deployment(said, "one")), (400,))

    @rule(code=st.sampled_from(BAD_CODE), name=st.sampled_from(NAMES))
    def deploy_bad_code(self, code: bytes, name: str) -> None:
        answer = self.house.ask("POST", *form({"settings": json.dumps({"name": name}).encode(), "code": code}))
        assert answer.status in (200, 400, 422), answer
        assert "error" in last(answer)

    @rule(name=st.sampled_from(NAMES))
    def deploy_what_fails(self, name: str) -> None:
        assert last(self.house.ask("POST", *deployment({"name": name}, "fails")))["error"]["code"] == "bad_function"

    @rule(
        method=st.sampled_from(METHODS),
        path=st.sampled_from(PATHS),
        body=st.sampled_from(BODIES),
        kind=st.sampled_from(("json", "x", "multipart/form-data")),
    )
    def talk_nonsense(self, method: str, path: str, body: str, kind: str) -> None:
        is_order = method in ("DELETE", "POST") and path in (
            "functions/a",
            "functions/a/rollback",
            "tokens",
            "functions/a/../tokens",
        )
        if is_order and method == "DELETE":
            return
        kind = "application/json" if kind == "json" else kind
        before = dict(self.known)
        answer = self.house.ask(method, f"/api/{path}", body.encode(), f"Content-Type: {kind}")
        assert answer.status < 500, (method, path, body[:100], answer)
        if answer.status >= 400 and method != "HEAD":
            assert {"code", "message", "try"} <= set(value(answer)["error"])
        if is_order and answer.status < 300:
            self._learn(path, answer)
        assert self.known.keys() == before.keys()

    def _learn(self, path: str, answer: Answer) -> None:
        """Nonsense that made sense."""
        told = value(answer)
        if path == "tokens":
            self.tokens[told["id"]] = told["token"]
        else:
            self.known["a"] = self.known["a"]._replace(current=told["revision"])

    @rule(path=st.sampled_from(PATHS), token=st.sampled_from(("", "x", "attacca_", "\xff", "a" * 5000)))
    def come_without_a_token(self, path: str, token: str) -> None:
        answer = self.house.ask("GET", f"/api/{path}", token=token)
        assert answer.status in (400, 401, 404, 405), (path, answer)

    # What must hold all the time.

    @invariant()
    def what_is_deployed_is_what_answers(self) -> None:
        rows = value(self.house.ask("GET", "/api/functions"))
        assert {row["function"]: row["revision"] for row in rows} == {
            name: one.current for name, one in self.known.items()
        }
        for name in NAMES:
            answer, function = self.house.ask("POST", f"/function/{name}", b"{}"), self.known.get(name)
            expected = (404, None) if function is None else (200, f"{name}@{function.current}".encode())
            assert (answer.status, answer.body if function else None) == expected, "another revision answers"
            detail = self.house.ask("GET", f"/api/functions/{name}")
            if function is None:
                assert detail.status == 404
            else:
                told = value(detail)
                assert [one["revision"] for one in told["revisions"]] == list(function.revisions[::-1])
                assert [one["revision"] for one in told["revisions"] if one["is_current"]] == [function.current]

    @invariant()
    def nothing_is_left_over(self) -> None:
        self.house.place.is_as_before()
        assert list((self.house.room / "state").rglob("*.tar")) == [], "a half of something is left"

    def _post(self, path: str, payload: object) -> Answer:
        return self.house.ask("POST", path, json.dumps(payload).encode(), "Content-Type: application/json")


def form(parts: dict[str, bytes]) -> tuple[str, bytes, str]:
    pieces, kind = multipart(parts)
    return "/api/functions", b"".join(piece for piece in pieces if isinstance(piece, bytes)), f"Content-Type: {kind}"


def deployment(said: object, text: str) -> tuple[str, bytes, str]:
    settings_ = said if isinstance(said, str) else json.dumps(said)
    return form(
        {
            "settings": settings_.encode("utf-8", "replace"),
            "code": gzip.compress(entry("main.txt", text.encode()) + end()),
        }
    )


def value(answer: Answer) -> Any:
    return json.loads(answer.body)


def last(answer: Answer) -> Any:
    return json.loads(answer.body.splitlines()[-1])


def refused(answer: Answer, statuses: tuple[int, ...]) -> None:
    assert answer.status in statuses, answer
    assert {"code", "message", "try"} <= set(value(answer)["error"])


class Catalogue(Door):
    name = "catalogue"
    is_slow = True

    def seeds(self) -> list[bytes]:
        return [b"1"]

    def make(self, chance: Random, corpus: list[bytes]) -> bytes:
        return b"%d" % chance.randrange(1 << 30)

    def check(self, data: bytes) -> str:
        phases = (Phase.generate, Phase.shrink)
        story = get_state_machine_test(
            Stories,
            settings=settings(
                max_examples=STORIES, stateful_step_count=STEPS, database=None, deadline=None, phases=phases,
                suppress_health_check=list(HealthCheck), print_blob=False,
            ),
        )  # fmt: skip
        seed(int(data))(story)()
        return "taken"
