"""What a handler reads of its event tells what it takes for one: the body alone, or a request in one of three shapes.

A wrong guess is worse than none: what is not clearly of HTTP is left plain, and `event` in the settings has the last
word. What only REST APIs send (`httpMethod`, `multiValueHeaders`) makes it version 1, what only HTTP APIs send
(`rawPath`, `requestContext.http`) version 2. What both send makes it version 1, because there every key is present,
`None` where the request has nothing; but version 2 if headers are read by lower-case names alone and nothing else has
to be there, because version 1 keeps a client's own spelling.
"""

from types import ModuleType
from typing import Any

from attacca.guest import conversion
from attacca.guest.signature import Takes
from attacca.guest.source import Keys, Source, Usage

PLAIN, HTTP, V1, V2 = "plain", "http", "api-gateway-v1", "api-gateway-v2"  # of model.function.EventShape
TAKE_EVENTS = ("event_context", "event", "args")

OF_V1 = frozenset({"httpMethod", "multiValueQueryStringParameters", "multiValueHeaders"})
OF_V1_CONTEXT = frozenset({"identity", "resourcePath", "httpMethod", "elb", "resourceId"})
OF_V2 = frozenset({"rawPath", "rawQueryString"})
OF_BOTH = frozenset({"queryStringParameters", "pathParameters", "isBase64Encoded", "stageVariables"})
WITH_STATUS = frozenset(
    {"path", "resource", "requestContext", "cookies", "headers"}
)  # plain events may have these, too
OF_OTHERS = frozenset(  # what SQS, S3, EventBridge, authorizers, Cognito and Step Functions send
    {"Records", "detail", "detail-type", "methodArn", "authorizationToken", "routeArn", "triggerSource", "awslogs",
     "RequestType"}
)  # fmt: skip
WATCHDOGS = "Http_"  # variables of OpenFaaS's classic watchdog
OF_REQUESTS = frozenset({"method", "headers", "query", "path", "body", "queryString"})
CLASSES = {  # Powertools' resolvers and data classes, and typing packages, by what they are called
    "APIGatewayRestResolver": V1, "ApiGatewayResolver": V1, "ALBResolver": V1, "Chalice": V1,
    "APIGatewayHttpResolver": V2, "LambdaFunctionUrlResolver": V2, "VPCLatticeV2Resolver": V2, "Mangum": V2,
    "APIGatewayProxyEvent": V1, "APIGatewayProxyEventV1": V1, "ALBEvent": V1,
    "APIGatewayProxyEventV2": V2, "LambdaFunctionUrlEvent": V2, "APIGatewayProxyEventModel": V1, "AlbModel": V1,
    "APIGatewayProxyEventV2Model": V2, "LambdaFunctionUrlModel": V2, "ApiGatewayEnvelope": V1,
    "ApiGatewayV2Envelope": V2, "LambdaFunctionUrlEnvelope": V2,
}  # fmt: skip
ADAPTERS = {"mangum": V2, "apig_wsgi": V2, "awsgi": V1, "serverless_wsgi": V1}
LIBRARIES = frozenset({"aws_lambda_powertools", "aws_lambda_typing", "chalice", *ADAPTERS})


def recognise(signature: str, target: Any, wants: Takes, module: ModuleType, source: Source) -> str:
    """Which of model.function.EventShape the handler reads."""
    if signature == "text":
        return HTTP if source.mentions(wants.function, WATCHDOGS) else PLAIN
    if signature not in TAKE_EVENTS:
        return PLAIN
    known = _of_note(wants) or _of_class(type(target)) or _by_libraries(module)
    return known or shape(source.usage(wants.function, wants.event_at, getattr(target, "__self__", target)))


def is_action(wants: Takes, source: Source) -> bool:
    """DigitalOcean's `main(event, context)`, which finds the request under `http` beside its parameters."""
    return any(
        keys[0] == "http" and keys[1] in OF_REQUESTS for keys in source.usage(wants.function, 0).paths if keys[1:]
    )


def _of_note(wants: Takes) -> str | None:
    """By the class that the event is said to be of, or what that is derived from."""
    note = wants.notes.get(wants.names[0]) if wants.names else None
    note = wants.spaces.get(note.strip("'\""), note) if isinstance(note, str) else note
    derived = note.__mro__[1:-1] if isinstance(note, type) else ()
    names = [conversion.label(note).split("[")[0].rpartition(".")[2], *(one.__name__ for one in derived)]
    return next((CLASSES[name] for name in names if name in CLASSES), None)


def _of_class(kind: type) -> str | None:
    package = kind.__module__.split(".")[0]
    return CLASSES.get(kind.__name__) or ADAPTERS.get(package) if package in LIBRARIES else None


def _by_libraries(module: ModuleType) -> str | None:
    """What the module holds of libraries that take the event apart: a resolver, an adapter, a data class."""
    found = []
    for value in vars(module).values():
        if isinstance(value, ModuleType):
            found.append(ADAPTERS.get(value.__name__.split(".")[0]))
        elif isinstance(value, type):
            found.append(CLASSES.get(value.__name__) if _is_event(value) else None)
        else:
            found.append(_of_class(type(value)))
    return next((one for one in found if one is not None), None)


def _is_event(value: type) -> bool:
    return value.__module__.split(".")[0] in LIBRARIES and (
        any(part in value.__module__ for part in ("data_classes", "envelopes")) or value.__name__ == "Mangum"
    )


def shape(use: Usage) -> str:
    top = {keys[0] for keys in use.paths if keys}
    below = {keys[:2] for keys in use.paths if len(keys) > 1}
    if _is_openwhisk(top, below) or (not top and use.attributes & OF_REQUESTS):
        return HTTP
    if top & OF_OTHERS or ("requestContext", "connectionId") in below:
        return PLAIN
    if top & OF_V2 or ("requestContext", "http") in below:
        return V2
    if top & OF_V1 or any(keys == ("requestContext", one) for keys in below for one in OF_V1_CONTEXT):
        return V1
    if top & OF_BOTH or (use.has_status and _reads_a_request(use, top)):
        return V2 if _is_lower_case(use, top, below) else V1
    return PLAIN


def _is_openwhisk(top: set[str], below: set[Keys]) -> bool:
    return any(key.startswith("__ow_") for key in top) or any(
        keys[0] == "http" and keys[1] in OF_REQUESTS for keys in below
    )


def _reads_a_request(use: Usage, top: set[str]) -> bool:
    """Of a handler that answers with a status: a body that is decoded as a text, or is all that it reads, is a
    request's, and so is a header. A letter with a body has an address, too."""
    return ("body",) in use.parsed or top == {"body"} or bool(top & WITH_STATUS)


def _is_lower_case(use: Usage, top: set[str], below: set[Keys]) -> bool:
    headers = [keys[1] for keys in below if keys[0] == "headers"]
    if "cookies" in top:
        return True
    has_to_be_there = {keys[0] for keys in use.taken if len(keys) == 1} & OF_BOTH
    return bool(headers) and all(name == name.lower() for name in headers) and not has_to_be_there
