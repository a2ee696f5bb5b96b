"""What orchestrators outside leave in Redis, and send over HTTP: read, judged, and never an end of anything."""

import json
from random import Random

import msgspec

from attacca.errors import BadRequest
from attacca.workflow.core.intents import (
    INTENTS_MOST,
    NAME_MOST,
    VALUE_BYTES,
    Cordon,
    Intent,
    IntentsRequest,
    Migrate,
    judge,
    read,
)
from tests.fuzz.door import Door, refusal
from tests.fuzz.mutation import NUMBERS, UNICODE, mutate
from tests.workflow.core.test_intents import STATE, fits

REDIS, HTTP = b"r", b"h"  # the first byte of an input
KINDS = ("migrate", "cordon", "uncordon", "scale", "Migrate", "", "intent")
NAMES = ("w1.a", "id-a", "demo.a", "demo.c", "n1", "id-n2", "n3", "n9", "yes", "no", "", " ", ",", ":", "*", "x" * 301)
WORDS = (*KINDS, *NAMES, *UNICODE, *NUMBERS, "intent:", "intents", "intent:migrate:", "intent:cordon:", "\x00")
SOUND = Cordon(node="n1")


class Left(Door):
    name = "intents"
    largest = 120_000
    words = tuple(word.encode() for word in WORDS)

    def seeds(self) -> list[bytes]:
        move = {"intent": "migrate", "component": "w1.a", "to": ["n2", "id-n1"]}
        return [
            REDIS + b"intent:migrate:w1.a\x00n2,n1",
            REDIS + b"intent:cordon:n1\x00yes",
            REDIS + b"intent:cordon:id-n3\x00no",
            HTTP + json.dumps({"intents": [move, {"intent": "cordon", "node": "n2"}], "dry_run": True}).encode(),
            HTTP + json.dumps({"intents": [move] * 300 + [{"intent": "uncordon", "node": "n3"}] * 600}).encode(),
        ]

    def traps(self) -> list[bytes]:
        return [
            REDIS,
            REDIS + b"\x00",
            REDIS + b"intent:migrate:w1.a\x00" + b"n" * (VALUE_BYTES + 1),
            REDIS + b"intent:migrate:" + b"a" * (NAME_MOST + 1) + b"\x00n1",
            REDIS + b"intent:migrate:\xff\xfe\x00\xff",
            HTTP + b'{"intents":' + b"[" * 5000,
            HTTP + json.dumps({"intents": [{"intent": "cordon", "node": "n"}] * (INTENTS_MOST + 1)}).encode(),
        ]

    def make(self, chance: Random, corpus: list[bytes]) -> bytes:
        if chance.random() < 0.4:
            key = ":".join((chance.choice(("intent", "intents")), chance.choice(KINDS), chance.choice(NAMES)))
            value = ",".join(chance.choices((*NAMES, *UNICODE), k=chance.choice((0, 1, 2, 64, 65))))
            return REDIS + f"{key}\x00{value}".encode()
        if chance.random() < 0.5:
            drawn = [
                {"intent": chance.choice(KINDS), chance.choice(("node", "component")): chance.choice(NAMES)}
                | ({"to": chance.choices(NAMES, k=chance.choice((0, 1, 3, 65)))} if chance.random() < 0.6 else {})
                for _ in range(chance.choice((0, 1, 3)))
            ]
            return HTTP + json.dumps({"intents": drawn}).encode()
        return mutate(chance, corpus, self.words)[: self.largest]

    def check(self, data: bytes) -> str:
        try:
            intents = self._read(data)
        except BadRequest as error:
            return refusal(error)[:2000]
        finally:
            assert read(b"intent:cordon:n1", b"yes") == SOUND
        verdicts = judge(STATE, intents, fits)
        assert len(verdicts) == len(intents), "each has a verdict"
        names = {node.name for node in STATE.nodes}
        for intent, verdict in zip(intents, verdicts, strict=True):
            assert verdict.intent == intent
            assert verdict.why, "it says why"
            assert verdict.outcome in ("do", "nothing", "refused")
            assert verdict.outcome == "refused" or verdict.node in names, "what is done is done at a node"
            if verdict.outcome == "do" and isinstance(intent, Migrate):
                assert fits(verdict.component, verdict.node, ()) == ""
        assert judge(STATE, intents, fits) == verdicts, "it is judged the same again"
        return "taken"

    def _read(self, data: bytes) -> list[Intent]:
        if data[:1] == HTTP:
            try:
                return list(msgspec.json.decode(data[1:], type=IntentsRequest).intents)
            except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
                raise BadRequest(str(error)[:1000], "/api/schema says what is expected") from None
        key, has_value, value = data[1:].partition(b"\x00")
        intent = read(key, value if has_value else None)
        asked = IntentsRequest((intent,))
        assert msgspec.json.decode(msgspec.json.encode(asked), type=IntentsRequest) == asked, (
            "HTTP takes what Redis does"
        )
        return [intent]
