"""What asks for a workflow as EDGELESS's tools do: refused, or a workflow that can be shown again."""

from random import Random
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from attacca.errors import BadRequest, Unsupported
from attacca.model.function import WasmModule
from attacca.workflow.core.identities import of_node
from attacca.workflow.dialects.edgeless import specs
from attacca.workflow.dialects.edgeless.server import asked, request
from attacca.workflow.dialects.edgeless.words import PROTO
from tests.fuzz.door import Door, refusal
from tests.fuzz.mutation import NUMBERS, UNICODE, mutate

NAMES = ("f", "g", "log", "", " ", "a b", "-", "n" * 63, "n" * 64, "f\n", "é")
VALUES = (*NAMES, "required", "Required", "3", "-1", "9" * 30, "٣", of_node("n1"), of_node("n9"), ",", "a,b", "n1-x")
KEYS = (
    "init-payload",
    "node_id_match_any",
    "label_match_all",
    "resource_match_all",
    "tee",
    "tpm",
    "max_instances",
    "x",
)
KINDS = ("RUST_WASM", "PYTHON", "CONTAINER", "")
NODES, CLASSES = {of_node("n1"): "n1"}, {"n1-x": "x"}


class Wanted(Door):
    name = "edgeless"
    largest = 60_000
    words = tuple(word.encode() for word in (*NAMES, *VALUES, *KEYS, *KINDS, *UNICODE, *NUMBERS))

    def __init__(self) -> None:
        self._words: Any = grpc.protos(PROTO)

    def seeds(self) -> list[bytes]:
        largest = [self._function(f"f{number}", {"out": "f0"}, {"init-payload": "x" * 200}) for number in range(190)]
        return [
            self._request([self._function("f", {"out": "log"}, {"init-payload": "8"})], [self._resource("log")]),
            self._request([], [self._resource("log", {"label_match_all": "a"})]),
            self._request(largest, []),
        ]

    def traps(self) -> list[bytes]:
        many = [self._function(f"f{number}", {}, {}) for number in range(300)]
        return [
            b"", b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0a\x04\x0a\x02\xff\xfe", self._request(many, []),
            self._request([self._function("f", {}, {"max_instances": "9" * 5000})], []),
            self._request([self._function("f", {}, {"node_id_match_any": "," * 5000})], []),
        ]  # fmt: skip

    def make(self, chance: Random, corpus: list[bytes]) -> bytes:
        if chance.random() < 0.4:
            return mutate(chance, corpus, self.words)[: self.largest]
        names = chance.choices(NAMES, k=chance.choice((0, 1, 2, 5)))

        def drawn(keys: tuple[str, ...]) -> dict[str, str]:
            return {chance.choice(keys): chance.choice(VALUES) for _ in range(chance.choice((0, 0, 1, 3)))}

        functions = [self._function(name, drawn(("out", "")), drawn(KEYS), chance.choice(KINDS)) for name in names]
        return self._request(functions, [self._resource(chance.choice(NAMES), drawn(KEYS)), self._resource("log")])

    def check(self, data: bytes) -> str:
        try:
            message = self._words.SpawnWorkflowRequest.FromString(data)
        except DecodeError:  # which the library's own server answers
            return "no message"
        told = asked(message)
        try:
            specs.expect_whole(told)
            for function in told.functions:
                specs.expect_runnable(function)
            code = {one.name: WasmModule(one.name) for one in told.functions}
            made = specs.spec(told, code, NODES, CLASSES)
        except (BadRequest, Unsupported) as error:
            return refusal(error)[:2000]
        again = asked(request(specs.described(made)))
        assert [one.mapping for one in again.functions] == [one.mapping for one in told.functions]
        binaries = {one.name: b"x" for one in told.functions}
        whole = specs.spec(_with(again, binaries), code, NODES, CLASSES)
        assert whole == made, "what is shown asks for the same"
        return "taken"

    def _request(self, functions: list[Any], resources: list[Any]) -> bytes:
        made = self._words.SpawnWorkflowRequest(workflow_functions=functions, workflow_resources=resources)
        return bytes(made.SerializeToString())

    def _function(self, name: str, mapping: dict[str, str], said: dict[str, str], kind: str = "RUST_WASM") -> Any:
        made = self._words.FunctionClassSpecification(id="x", function_type=kind, version="0.1", binary=b"\0asm")
        return self._words.WorkflowFunction(name=name, class_spec=made, output_mapping=mapping, annotations=said)

    def _resource(self, name: str, said: dict[str, str] | None = None) -> Any:
        return self._words.WorkflowResource(name=name, class_type="file-log", configurations=said or {})


def _with(told: specs.WorkflowAsked, binaries: dict[str, bytes]) -> specs.WorkflowAsked:
    """The code is not shown."""
    functions = tuple(
        specs.FunctionAsked(
            name=one.name, function_type=one.function_type, binary=binaries[one.name], mapping=one.mapping,
            annotations=one.annotations,
        )
        for one in told.functions
    )  # fmt: skip
    return specs.WorkflowAsked(functions=functions, resources=told.resources)
