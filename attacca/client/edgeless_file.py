"""EDGELESS's `workflow.json`, and the `function.json` of its functions' classes, as they are.

What they declare wrongly and nothing depends on is told and not refused: outputs that a class does not declare, or that
lead nowhere, and annotations that nobody knows.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from attacca.errors import BadConfig, NotFound

NAMED = Annotated[str, msgspec.Meta(min_length=1)]
PYTHON, WASM = "PYTHON", "RUST_WASM"
NAME_MOST = 63
REQUIRES = {
    "node_id_match_any": "nodes", "label_match_all": "labels", "resource_match_all": "resources", "tee": "tee",
    "tpm": "tpm", "max_instances": "max_instances",
}  # fmt: skip


class FunctionClass(msgspec.Struct, frozen=True, kw_only=True):
    """A `function.json`."""

    id: NAMED
    function_type: NAMED
    version: str
    outputs: tuple[str, ...]
    code: str | None = None
    binary: list[Annotated[int, msgspec.Meta(ge=0, le=255)]] | None = None


class Function(msgspec.Struct, frozen=True, kw_only=True):
    name: NAMED
    class_specification: FunctionClass
    output_mapping: dict[NAMED, NAMED]
    annotations: dict[str, str]


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    name: NAMED
    class_type: NAMED
    output_mapping: dict[NAMED, NAMED]
    configurations: dict[str, str]


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """A `workflow.json`."""

    functions: tuple[Function, ...]
    resources: tuple[Resource, ...]
    annotations: dict[str, str]


class Read(msgspec.Struct, frozen=True):
    """What it says, in the words of attacca. `notes`: what it says in vain."""

    name: str
    components: tuple[dict[str, Any], ...]
    code: dict[str, Path]
    notes: tuple[str, ...]


def read(file: Path) -> Read:
    """
    Raises:
        BadConfig: it is no workflow, or none that can run here.
        NotFound: code that it names.
    """
    try:
        graph = msgspec.json.decode(file.read_bytes(), type=Graph)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise BadConfig(
            f"{file}: {error}", "it is to be a workflow.json of EDGELESS, or write a workflow.toml"
        ) from None
    names = [one.name for one in graph.functions] + [one.name for one in graph.resources]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadConfig(f"{file}: there are several components {twice!r}", "give each another name")
    notes = [f"annotation {key!r} of the workflow: ignored" for key in graph.annotations]
    components = [_function(one, notes) for one in graph.functions]
    components += [_resource(one) for one in graph.resources]
    code = {one.name: _code(file, one) for one in graph.functions}
    return Read(_name(file), tuple(components), code, tuple(notes))


def _name(file: Path) -> str:
    """A workflow.json says none: its directory's, or its own if it is called something else."""
    resolved = file.resolve()
    wanted = resolved.parent.name if resolved.stem == "workflow" else resolved.stem
    found = re.sub("[^a-z0-9]+", "-", wanted.lower()).lstrip("-0123456789")[:NAME_MOST].rstrip("-")
    return found or "workflow"


def _function(told: Function, notes: list[str]) -> dict[str, Any]:
    declared, made = told.class_specification.outputs, _component(told.name, told.output_mapping)
    unknown = [channel for channel in told.output_mapping if channel not in declared]
    unled = [channel for channel in declared if channel not in told.output_mapping]
    if unknown:
        notes.append(f"{told.name}: its class does not declare {', '.join(unknown)}")
    if unled:
        notes.append(f"{told.name}: these outputs lead nowhere: {', '.join(unled)}")
    requires: dict[str, Any] = {}
    for key, value in told.annotations.items():
        if key == "init-payload":
            made["payload"] = value
        elif key in REQUIRES:
            requires[REQUIRES[key]] = _required(key, value)
        else:
            notes.append(f"{told.name}: the annotation {key!r} is ignored")
    return {**made, "requires": requires} if requires else made


def _required(key: str, value: str) -> Any:
    """As its orchestrator reads it: anything but `required` requires nothing, and what is no number is no limit."""
    if key in ("tee", "tpm"):
        return value.lower() == "required"
    if key == "max_instances":
        return int(value) if value.isdecimal() else 0
    return [one for one in value.split(",") if one or key != "node_id_match_any"]  # no node at all says nothing


def _resource(told: Resource) -> dict[str, Any]:
    rest = {key: value for key, value in told.configurations.items() if key not in REQUIRES}
    requires = {REQUIRES[key]: _required(key, value) for key, value in told.configurations.items() if key in REQUIRES}
    made = {**_component(told.name, told.output_mapping), "resource": told.class_type, "configuration": rest}
    return {**made, "requires": requires} if requires else made


def _component(name: str, outputs: Mapping[str, str]) -> dict[str, Any]:
    return {"name": name, "outputs": {channel: {"to": [target]} for channel, target in outputs.items()}}


def _code(file: Path, told: Function) -> Path:
    made = told.class_specification
    if made.function_type not in (PYTHON, WASM):
        hint = f"make it of {WASM}, or of {PYTHON} with code that names a file"
        raise BadConfig(f"{file}: {told.name} is of {made.function_type}, which does not run here", hint)
    if not made.code:
        raise BadConfig(
            f"{file}: the class of {told.name} has no code", "write the path of its file, relative to this one"
        )
    path = file.parent / made.code
    if not path.exists():
        hint = (
            "build it first: edgeless_cli function build"
            if made.function_type == WASM
            else "paths are relative to the file"
        )
        raise NotFound(f"{file}: the code of {told.name}, {str(path)!r}, does not exist", hint)
    return path
