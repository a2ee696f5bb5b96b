"""A workflow as it lies on disk: `workflow.toml`, and the code beside it.

name = "demo"

[functions.counter]
code = "counter.py"          # a Python file, a directory, or a module of WebAssembly
payload = "100"              # what its init is given
outputs = { out = "log" }    # or ["a", "b"], or { to = ["a", "b"], rule = "any" }

[resources.log]
class = "file-log"
filename = "counts.log"      # all else is its configuration
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from attacca.client import edgeless_file
from attacca.errors import BadConfig, NotFound
from attacca.kernel.text import AS_UTF_8, decoded
from attacca.model.workflow import Component, WorkflowSpec

FILE, JSON = "workflow.toml", "workflow.json"
OF_FUNCTIONS = frozenset(
    {
        "channels", "code", "cpus", "env", "handler", "memory_mb", "outputs", "payload", "replicas", "requires",
        "standby", "timeout_s",
    }
)  # fmt: skip
OF_RESOURCES = frozenset({"class", "outputs", "requires", "timeout_s"})


class WorkflowSource(msgspec.Struct, frozen=True):
    """What is to be started. `code`: by component, the path of what is uploaded for it; `notes`: what was ignored."""

    name: str
    components: tuple[dict[str, Any], ...]
    code: dict[str, Path]
    notes: tuple[str, ...] = ()

    def spec(self, artefacts: Mapping[str, dict[str, Any]]) -> WorkflowSpec:
        """With what was uploaded.

        Raises:
            BadConfig: it names what is wrong.
        """
        made = [
            {**one, "artefact": artefacts[one["name"]]} if one["name"] in self.code else one for one in self.components
        ]
        try:
            return msgspec.convert({"name": self.name, "components": made}, WorkflowSpec)
        except msgspec.ValidationError as error:
            raise BadConfig(
                f"the workflow {self.name!r}: {error}", "docs/workflows.md says what a workflow is"
            ) from None


def read(path: Path) -> WorkflowSource:
    """The workflow at a path: a file, or a directory with a `workflow.toml` or else a `workflow.json`.

    Raises:
        NotFound: there is none.
        BadConfig: it is none, or names what is not there.
    """
    file = path / FILE if path.is_dir() else path
    if path.is_dir() and not file.exists() and (path / JSON).exists():
        file = path / JSON
    if not file.is_file():
        raise NotFound(f"{str(file)!r} does not exist", f"write one, as docs/workflows.md shows; it is called {FILE}")
    if file.suffix == ".json":
        found = edgeless_file.read(file)
        source = WorkflowSource(found.name, found.components, found.code, found.notes)
    else:
        return of_tables(_strict(file), file)
    return checked(source)


def checked(source: WorkflowSource) -> WorkflowSource:
    """
    Raises:
        BadConfig: it makes no workflow, whatever its code is.
    """
    source.spec({name: {"type": "python", "code": "", "bundle": None} for name in source.code})
    return source


def _strict(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(decoded(file.read_bytes()))
    except tomllib.TOMLDecodeError as error:
        raise BadConfig(f"{file}: {error}", "docs/workflows.md has an example") from None
    except ValueError as wrong:
        raise BadConfig(f"{file} {wrong}", AS_UTF_8) from None


def of_tables(told: Mapping[str, Any], file: Path) -> WorkflowSource:
    """What a `workflow.toml` says, of which paths are relative to the file.

    Raises:
        NotFound: code that it names.
        BadConfig: it is no workflow.
    """
    unknown = sorted(set(told) - {"name", "functions", "resources"})
    if unknown:
        raise BadConfig(f"{file}: {unknown[0]!r} is no key of a workflow", "there are name, functions and resources")
    functions, resources = _table(told, "functions", file), _table(told, "resources", file)
    twice = sorted(set(functions) & set(resources))
    if twice:
        raise BadConfig(f"{file}: {twice[0]!r} is a function and a resource", "give one of them another name")
    made = [_function(name, one, file) for name, one in functions.items()]
    code = {name: _code(file, name, one) for name, one in functions.items()}
    made += [_resource(name, one, file) for name, one in resources.items()]
    return checked(WorkflowSource(str(told.get("name", file.resolve().parent.name)), tuple(made), code))


def _table(told: Mapping[str, Any], name: str, file: Path) -> dict[str, dict[str, Any]]:
    found = told.get(name, {})
    if not isinstance(found, dict) or not all(isinstance(one, dict) for one in found.values()):
        raise BadConfig(
            f"{file}: {name} is no table of tables", f"write [{name}.NAME], and below it what belongs to it"
        )
    return found


def _function(name: str, told: Mapping[str, Any], file: Path) -> dict[str, Any]:
    unknown = sorted(set(told) - OF_FUNCTIONS)
    if unknown:
        known = ", ".join(sorted(OF_FUNCTIONS))
        raise BadConfig(f"{file}: {unknown[0]!r} is no setting of the function {name}", f"there are {known}")
    rest = {key: value for key, value in told.items() if key not in ("channels", "code", "outputs")}
    outputs = _outputs(told)
    if "channels" in told:
        _expect_channels(name, told["channels"], outputs, file)
    return {"name": name, **rest, "outputs": outputs}


def _expect_channels(name: str, channels: Any, outputs: Mapping[str, Any], file: Path) -> None:
    """What its code sends to, where somebody has said it, is what leads somewhere."""
    if not isinstance(channels, list) or not all(isinstance(one, str) for one in channels):
        raise BadConfig(f"{file}: the channels of {name} are no names", 'write channels = ["NAME"]')
    undeclared = next((one for one in outputs if one not in channels), None)
    if undeclared is not None:
        raise BadConfig(f"{file}: {name} has no channel {undeclared!r}", f"it has {', '.join(channels) or 'none'}")
    unmapped = next((one for one in channels if one not in outputs), None)
    if unmapped is not None:
        hint = f'write {unmapped} = "COMPONENT" among its outputs'
        raise BadConfig(f"{file}: the channel {unmapped!r} of {name} leads nowhere", hint)


def _resource(name: str, told: Mapping[str, Any], file: Path) -> dict[str, Any]:
    if not isinstance(told.get("class"), str):
        raise BadConfig(f"{file}: the resource {name} has no class", 'write class = "file-log", or another')
    configuration = {key: _text(value) for key, value in told.items() if key not in OF_RESOURCES}
    made = {"name": name, "resource": told["class"], "configuration": configuration, "outputs": _outputs(told)}
    return made | {key: told[key] for key in ("requires", "timeout_s") if key in told}


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _outputs(told: Mapping[str, Any]) -> dict[str, Any]:
    found = told.get("outputs", {})
    if not isinstance(found, dict):
        return {"outputs": found}  # which is refused with the name of the component
    return {channel: _output(value) for channel, value in found.items()}


def _output(value: Any) -> Any:
    if isinstance(value, str):
        return {"to": [value]}
    return {"to": value} if isinstance(value, list) else value


def _code(file: Path, name: str, told: Mapping[str, Any]) -> Path:
    code = told.get("code")
    if not isinstance(code, str):
        raise BadConfig(f"{file}: the function {name} has no code", 'write code = "FILE.py", or a directory')
    path = file.parent / code
    if not path.exists():
        raise NotFound(f"{file}: the code of {name}, {str(path)!r}, does not exist", "paths are relative to the file")
    return path


def names(spec: WorkflowSpec) -> list[tuple[Component, list[tuple[str, tuple[str, ...]]]]]:
    """Its components, and where the outputs of each lead."""
    return [(one, [(channel, output.to) for channel, output in one.outputs.items()]) for one in spec.components]
