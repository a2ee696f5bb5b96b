"""The OpenAPI document, where Litestar does not know enough: how the admin API refuses, and which bodies are closed."""

from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from litestar import Request
from litestar.exceptions import NotFoundException
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import (
    OpenAPIFormat,
    OpenAPIMediaType,
    OpenAPIType,
    Operation,
    Parameter,
    Reference,
    RequestBody,
    Schema,
)
from litestar.params import QueryParameter

from attacca.control.http.api import (
    CordonRequest,
    ErrorLine,
    EvictRequest,
    PrewarmRequest,
    RollbackRequest,
    TokenRequest,
)
from attacca.model.function import LABEL_MOST, OPTION, SECRET_KB, SECRET_NAME, Scale

AGES_S = 315_360_000  # ten years back
SecondsBack = Annotated[
    float | None,
    QueryParameter(
        ge=0,
        le=AGES_S,
        description="how many seconds back; all that is kept when unset",
        schema_extra={"minimum": 0},  # Litestar leaves out bounds of 0
    ),
]
PATH = "/api/schema"
PAGES = ("/", "/openapi.json")  # below it
ALWAYS = (400, 401, 403, 500, 503)
WHY = {
    400: "The request is malformed, or asks for what makes no sense",
    401: "There is no token, or one that is not known",
    403: "The caller may not do this",
    404: "There is no such function, revision, token or secret",
    409: "Somebody else changed it first, or a function asks for it",
    413: "The body is too large",
    422: "It reserves more memory than there is",
    500: "The server failed; its log says more",
    503: "The server is busy, shutting down, or cannot use its state; try again",
}
CLOSED: tuple[type[msgspec.Struct], ...] = (
    RollbackRequest, Scale, PrewarmRequest, EvictRequest, CordonRequest, TokenRequest,
)  # fmt: skip


def refusals(*more: int) -> dict[int, ResponseSpec]:
    """What a handler may answer instead: these, and what any of them may."""
    return {
        status: ResponseSpec(data_container=ErrorLine, description=WHY[status], generate_examples=False)
        for status in sorted({*ALWAYS, *more})
    }


@dataclass
class DeployOperation(Operation):
    """The body is read by hand, in pieces; the schema shows it all the same."""

    def __post_init__(self) -> None:
        fields: dict[str, Schema | Reference] = {
            "settings": Schema(type=OpenAPIType.STRING, content_media_type="application/json"),
            "code": Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY),
            "allow_source_builds": Schema(type=OpenAPIType.STRING, enum=["true", "false"]),
        }
        form = Schema(
            type=OpenAPIType.OBJECT, properties=fields, required=["settings", "code"], additional_properties=False
        )
        self.request_body = RequestBody(content={"multipart/form-data": OpenAPIMediaType(schema=form)}, required=True)


@dataclass
class UploadOperation(Operation):
    """The same, of code alone."""

    def __post_init__(self) -> None:
        code = {"code": Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)}
        form = Schema(type=OpenAPIType.OBJECT, properties=dict(code), required=["code"], additional_properties=False)
        self.request_body = RequestBody(content={"multipart/form-data": OpenAPIMediaType(schema=form)}, required=True)


@dataclass
class SecretOperation(Operation):
    """The body is the value, as it is."""

    def __post_init__(self) -> None:
        most = f"at most {SECRET_KB} KB"
        value = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY, min_length=1, description=most)
        kind = "application/octet-stream"
        self.request_body = RequestBody(content={kind: OpenAPIMediaType(schema=value)}, required=True)
        for parameter in self.parameters or ():
            if isinstance(parameter, Parameter) and isinstance(parameter.schema, Schema):
                parameter.schema.pattern = SECRET_NAME.pattern


BESIDE = ("MigrateRequest", "IntentsRequest", "Migrate", "Cordon", "Uncordon")  # as closed, where there are workflows

BOUNDS: dict[str, dict[str, Any]] = {  # of model.function.Scale
    "min_sandboxes": {"minimum": 0, "maximum": 10_000},
    "max_sandboxes": {"minimum": 1, "maximum": 10_000},
    "scaling": {"propertyNames": {"pattern": OPTION}},
    "placement": {"maxLength": LABEL_MOST},
}


class Document(JsonRenderPlugin):
    def __init__(self) -> None:
        super().__init__(path=list(PAGES))

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        components = openapi_schema["components"]["schemas"]
        for name in (*(kind.__name__ for kind in CLOSED), *(name for name in BESIDE if name in components)):
            components[name]["additionalProperties"] = False
        for component in components.values():
            for field in component.get("properties", {}).values():
                of_one_kind(field)
        bound(components["Scale"]["properties"])
        return super().render(request, openapi_schema)


def of_one_kind(field: dict[str, Any]) -> None:
    """Of a bounded tuple Litestar takes the dots for a second type of its items, which may be anything."""
    kinds = field.get("items", {}).get("oneOf", ())
    if len(kinds) == 2 and not kinds[1]:
        field["items"] = kinds[0]


def bound(fields: dict[str, Any]) -> None:
    """Of what may be left out Litestar tells the type, and not its bounds."""
    for name, bounds in BOUNDS.items():
        field = fields[name]
        for one in field.get("oneOf", field.get("anyOf", [field])):
            if one.get("type") != "null":
                one.update(bounds)


def expect_page(request: Request[Any, Any, Any]) -> None:
    """Litestar has a page of its own for what is not there, in HTML.

    Raises:
        NotFoundException: it is not there.
    """
    if request.url.path.removeprefix(PATH).rstrip("/") not in ("", *PAGES):
        raise NotFoundException
