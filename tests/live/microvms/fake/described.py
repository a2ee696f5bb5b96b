"""Requests held to a description of an API in Swagger 2: what is not in it is refused. Standard library only."""

import json
import re
from typing import Any

KINDS: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,), "array": (list,),
    "object": (dict,),
}  # fmt: skip
BEFORE, AFTER = "Pre-boot only", "Post-boot only"


class Refused(Exception):
    """With what a Firecracker would say of it."""


class Description:
    """`told` is the description, decoded."""

    def __init__(self, told: dict[str, Any]) -> None:
        self._definitions = told["definitions"]
        self._paths = [
            (re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[A-Za-z0-9_]+)", path)), of) for path, of in told["paths"].items()
        ]

    def __repr__(self) -> str:
        return f"<Description of {len(self._paths)} paths>"

    def check(self, method: str, path: str, body: bytes, *, has_begun: bool) -> tuple[str, dict[str, Any]]:
        """Which operation it is, and its body.

        Raises:
            Refused: it is none that is described, or not now, or its body is not as it is described.
        """
        for pattern, operations in self._paths:
            if (found := pattern.fullmatch(path)) and (operation := operations.get(method.lower())) is not None:
                self._check_time(operation, has_begun=has_begun)
                return operation["operationId"], self._body(operation, found.groupdict(), body)
        raise Refused(f"Invalid request method and/or path: {method} {path}.")

    def _check_time(self, operation: dict[str, Any], *, has_begun: bool) -> None:
        when = operation.get("summary", "") + operation.get("description", "")
        if BEFORE in when and has_begun:
            raise Refused("The requested operation is not supported after starting the microVM.")
        if AFTER in when and not has_begun:
            raise Refused("The requested operation is not supported before starting the microVM.")

    def _body(self, operation: dict[str, Any], named: dict[str, str], body: bytes) -> dict[str, Any]:
        schema = next((one["schema"] for one in operation.get("parameters", ()) if one["in"] == "body"), None)
        if schema is None:
            if body:
                raise Refused("it takes no body")
            return {}
        try:
            told = json.loads(body)
        except ValueError:
            raise Refused("the body is no JSON") from None
        self._hold(told, schema, "body")
        for name, value in named.items():
            if told.get(name, value) != value:
                raise Refused(f"The id from the path [{value}] does not match the id from the body [{told[name]}]!")
        return dict(told)

    def _hold(self, told: Any, schema: dict[str, Any], at: str) -> None:
        if "$ref" in schema:
            schema = self._definitions[schema["$ref"].rpartition("/")[2]]
        kind = schema.get("type", "object")
        if not isinstance(told, KINDS[kind]) or (isinstance(told, bool) and kind != "boolean"):
            raise Refused(f"{at}: invalid type, expected {kind}")
        if "enum" in schema and told not in schema["enum"]:
            raise Refused(f"{at}: unknown variant `{told}`, expected one of {schema['enum']}")
        if kind == "integer" and not schema.get("minimum", told) <= told <= schema.get("maximum", told):
            raise Refused(f"{at}: {told} is out of bounds")
        if isinstance(told, list):
            for number, one in enumerate(told):
                self._hold(one, schema.get("items", {}), f"{at}[{number}]")
        elif isinstance(told, dict) and "properties" in schema:
            self._hold_fields(told, schema, at)

    def _hold_fields(self, told: dict[str, Any], schema: dict[str, Any], at: str) -> None:
        properties = schema["properties"]
        if missing := [name for name in schema.get("required", ()) if name not in told]:
            raise Refused(f"{at}: missing field `{missing[0]}`")
        if unknown := [name for name in told if name not in properties]:
            raise Refused(f"{at}: unknown field `{unknown[0]}`, expected one of {sorted(properties)}")
        for name, value in told.items():
            self._hold(value, properties[name], f"{at}.{name}")
