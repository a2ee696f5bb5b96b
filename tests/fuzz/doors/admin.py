"""The admin API of a running server, by its own OpenAPI document: what that promises holds, and nothing does harm."""

import contextlib
import tempfile
import warnings
from pathlib import Path
from random import Random
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.checks import CHECKS
from schemathesis.core.result import Ok

from tests.fuzz.door import Door
from tests.live.whole import Whole

EXAMPLES = 3  # of each operation, in each mode, for one input
PATIENCE_S = 30
CHECKED = (
    "not_a_server_error", "status_code_conformance", "response_schema_conformance", "content_type_conformance",
    "response_headers_conformance", "negative_data_rejection", "positive_data_acceptance",
    "unsupported_method", "allow_header_conformance", "use_after_free",
    "ensure_resource_availability", "ignored_auth", "missing_required_header",
)  # fmt: skip
# Any bytes are a file, and few of them an archive; 1.0 is an integer in JSON Schema, and none to us; and a graph may
# lead to what is not in it.
OF_FUNCTIONS = [f"/functions{rest}" for rest in ("", "/{name}/prewarm", "/{name}/rollback", "/{name}/scale")]
OF_ITEMS = ("/domain/intents",)  # Litestar does not tell the bounds of what is in a tuple
UNTRUE = {
    ("positive_data_acceptance", f"POST /api{path}") for path in (*OF_FUNCTIONS, "/code", "/workflows", *OF_ITEMS)
}
ENDLESS = ("/api/events",)
SOURCE = "def known():\n    return 1\n"


class Admin(Door):
    name = "admin"
    is_slow = True

    def open(self) -> None:
        self._room = tempfile.TemporaryDirectory(prefix="attacca-fuzz-")
        self._server = Whole(Path(self._room.name) / "state")
        self._token = self._server.ask(
            "POST", "/api/tokens", b'{"name":"fuzz"}', {"content-type": "application/json"}
        ).value["token"]
        self._url = f"http://127.0.0.1:{self._server.port}"
        self._session = requests.Session()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._schema = schemathesis.openapi.from_url(f"{self._url}/api/schema/openapi.json")

    def close(self) -> None:
        self._session.close()
        self._server.stop()
        self._room.cleanup()

    def seeds(self) -> list[bytes]:
        return [b"1"]

    def make(self, chance: Random, corpus: list[bytes]) -> bytes:
        return b"%d" % chance.randrange(1 << 30)

    def check(self, data: bytes) -> str:
        self._server.function("known", SOURCE)
        chance = Random(int(data))
        for result in self._schema.get_all_operations():
            assert isinstance(result, Ok), result
            if result.ok().path in ENDLESS:
                continue
            for mode in GenerationMode:
                self._try(result.ok(), mode, chance.randrange(1 << 30))
        assert self._server.is_well(), "it is not well"
        said = [line for line in self._server.said.splitlines() if "an intent is refused: " not in line]
        assert said == [], "it stumbles over something, and says so in its log"
        return "taken"

    def _try(self, operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode, number: int) -> None:
        quick = settings(
            max_examples=EXAMPLES, database=None, deadline=None, phases=(Phase.generate,), print_blob=False,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip

        @seed(number)
        @quick
        @given(case=operation.as_strategy(generation_mode=mode))
        def go(case: Case[Any]) -> None:
            (case.query or {}).pop("follow", None)  # which has no end
            ours: dict[str, Any] = {"headers": {"Authorization": f"Bearer {self._token}"}, "timeout": PATIENCE_S}
            answer = case.call(self._url, self._session, **ours)
            checks: Any = [CHECKS.get_one(name) for name in CHECKED if (name, operation.label) not in UNTRUE]
            case.validate_response(answer, checks, transport_kwargs=ours)
            assert answer.status_code < 400 or {"code", "message", "try"} <= set(answer.json()["error"]), (
                "an error without its envelope"
            )
            stranger = {"Authorization": "Bearer attacca_nobody"}
            status = case.call(self._url, self._session, headers=stranger, timeout=PATIENCE_S).status_code
            assert status in (400, 401, 404, 405), f"a stranger is told {status}"

        with contextlib.suppress(Unsatisfiable):  # nothing about it can be wrong
            go()
