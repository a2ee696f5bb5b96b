"""The event of a handler that is told of the whole request: in our own shape, in Amazon's gateways' or OpenWhisk's."""

import base64
import os
import re
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote, unquote_plus

from attacca.guest.context import Function
from attacca.guest.payload import Requested, alone, body_of, decode, fields_of, gathered, pairs

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
ACCOUNT, API = "000000000000", "attacca"
NOBODY = (  # what the identity of a caller without any consists of
    *("accessKey", "accountId", "caller", "cognitoAuthenticationProvider", "cognitoAuthenticationType"),
    *("cognitoIdentityId", "cognitoIdentityPoolId", "principalOrgId", "user", "userArn"),
)
TEXTS = re.compile(rb"text/|application/(json|xml|javascript|x-www-form-urlencoded|graphql)|.*\+(json|xml)\Z")
PARAMETER = re.compile(r"\{(\w+)\}")


class Headers(dict[str, Any]):
    """By name in lower case; asked for in any."""

    def __getitem__(self, name: str) -> Any:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name.lower())

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


class HttpEvent(dict[str, Any]):
    """The shape `http`. Its fields are attributes too, and there, as OpenFaaS has them, `body` is the bytes."""

    raw = b""

    def __getattr__(self, name: str) -> Any:
        try:
            return self.raw if name == "body" else self[name]
        except KeyError:
            raise AttributeError(name) from None


def shape(name: str, handler: Any, function: Function) -> Callable[[Requested], Any]:
    """How to make the event of that shape."""
    match name:
        case "http":
            return http
        case "api-gateway-v1":
            routes = getattr(handler, "routes", None)  # Chalice looks for its own by their patterns
            patterns = list(routes) if isinstance(routes, dict) and all(isinstance(one, str) for one in routes) else []
            return lambda asked: gateway_v1(asked, patterns, time.time())
        case _:
            return lambda asked: gateway_v2(asked, time.time())


def watched(asked: Requested) -> str | bytes:
    """Its body, for `handle(req)`; the rest stands in the environment, and nothing of the request before."""
    for name in [name for name in os.environ if name.startswith("Http_")]:
        del os.environ[name]
    told = {f"Http_{name.title().replace('-', '_')}": value for name, value in headers_of(asked).items()}
    told |= {"Http_Method": asked.method, "Http_Path": path_of(asked), "Http_Query": asked.query.decode("latin-1")}
    told["Http_ContentLength"] = told["Http_Content_Length"] = str(len(asked.body))
    os.environ.update(told)
    return body_of(asked)


# What all of them are made of.


def headers_of(asked: Requested, joint: str = ", ") -> Headers:
    """Repeated ones as one."""
    found: dict[str, str] = {}
    for name, value in fields_of(asked):
        between = "; " if name == "cookie" else joint
        found[name] = f"{found[name]}{between}{value}" if name in found else value
    return Headers(found)


def cookies_of(header: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in header.split(";"):
        name, mark, value = part.strip().partition("=")
        if mark and name:
            value = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
            found.setdefault(name, unquote(value) if "%" in value else value)
    return found


def path_of(asked: Requested) -> str:
    return unquote(asked.path) if "%" in asked.path else asked.path


def texted(asked: Requested) -> tuple[str | None, bool]:
    """The body as a text, and whether that is base64."""
    body, kind = asked.body, asked.content_type.partition(b";")[0].strip().lower()
    if not body:
        return None, False
    if not kind or TEXTS.match(kind):
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass
    return base64.b64encode(body).decode(), True


# Our own.


def http(asked: Requested) -> HttpEvent:
    """
    Raises:
        BadInput: the body is not what its content type says.
    """
    headers = headers_of(asked)
    event = HttpEvent(
        method=asked.method,
        path=path_of(asked),
        query=gathered(asked.query) if asked.query else {},
        headers=headers,
        cookies=cookies_of(headers.get("cookie", "")),
        client=asked.client,
        body=decode(alone(asked)._replace(query=b"")) if asked.body else None,
    )
    event.raw = asked.body
    return event


# OpenWhisk's, and DigitalOcean's, which came from there.


def action(asked: Requested) -> dict[str, Any]:
    """Parameters from the query and the body, and beside them what the request was.

    Raises:
        BadInput: the body is not what its content type says.
    """
    text, is_based = texted(asked)
    headers, query = dict(headers_of(asked)), asked.query.decode("utf-8", "replace")
    told = gathered(asked.query) if asked.query else {}
    body = decode(alone(asked)._replace(query=b"")) if asked.body else None
    if isinstance(body, dict):
        told |= body
    return {
        **told,
        "__ow_method": asked.method.lower(),
        "__ow_headers": headers,
        "__ow_path": path_of(asked),
        "__ow_query": query,
        "__ow_body": text or "",
        "http": {
            "method": asked.method,
            "path": path_of(asked),
            "headers": headers,
            "queryString": query,
            "body": text or "",
            "isBase64Encoded": is_based,
        },
    }


# Amazon's.


def stamp(now: float) -> str:
    at = time.gmtime(now)
    return f"{at.tm_mday:02}/{MONTHS[at.tm_mon - 1]}/{at.tm_year}:{at.tm_hour:02}:{at.tm_min:02}:{at.tm_sec:02} +0000"


def _with_origin(headers: Headers, asked: Requested) -> Headers:
    """Their gateways are proxies, and say whom they speak for."""
    port = "443" if asked.scheme == "https" else "80"
    told = {"x-forwarded-for": asked.client, "x-forwarded-proto": asked.scheme, "x-forwarded-port": port}
    return Headers({**{name: value for name, value in told.items() if value}, **headers})


def resource_of(path: str, patterns: Iterable[str]) -> tuple[str, dict[str, str] | None]:
    """The pattern that the path fits, and the parameters that it has by it; without patterns all of it is one."""
    parts = path.split("/")
    for pattern in sorted(patterns, key=lambda one: one.count("{")):
        wanted = pattern.split("/")
        if len(wanted) != len(parts):
            continue
        found = {}
        for want, part in zip(wanted, parts, strict=True):
            if (name := PARAMETER.fullmatch(want)) is not None and part:
                found[name[1]] = unquote(part)
            elif want != part:
                break
        else:
            return pattern, found or None
    return ("/", None) if path == "/" else ("/{proxy+}", {"proxy": unquote(path[1:])})


def gateway_v1(asked: Requested, patterns: Iterable[str], now: float) -> dict[str, Any]:
    """What a REST API sends, and an HTTP API with payload format 1.0."""
    several: dict[str, list[str]] = {}
    for name, value in fields_of(asked):
        several.setdefault(name, []).append(value)
    headers = _with_origin(Headers({name: values[-1] for name, values in several.items()}), asked)
    lists: dict[str, list[str]] = {}
    for name, value in pairs(asked.query) if asked.query else ():
        lists.setdefault(name, []).append(value)
    host = headers.get("host", "")
    body, is_based = texted(asked)
    resource, parameters = resource_of(asked.path, patterns)
    return {
        "version": "1.0",
        "resource": resource,
        "path": path_of(asked),
        "httpMethod": asked.method,
        "headers": headers,
        "multiValueHeaders": Headers({name: several.get(name, [value]) for name, value in headers.items()}),
        "queryStringParameters": {name: values[-1] for name, values in lists.items()} or None,
        "multiValueQueryStringParameters": lists or None,
        "pathParameters": parameters,
        "stageVariables": None,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": API,
            "authorizer": {},
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "extendedRequestId": asked.id,
            "httpMethod": asked.method,
            "identity": {
                **dict.fromkeys(NOBODY),
                "sourceIp": asked.client,
                "userAgent": headers.get("user-agent"),
            },
            "path": path_of(asked),
            "protocol": "HTTP/1.1",
            "requestId": asked.id,
            "requestTime": stamp(now),
            "requestTimeEpoch": int(now * 1000),
            "resourceId": None,
            "resourcePath": resource,
            "stage": "$default",
        },
        "body": body,
        "isBase64Encoded": is_based,
    }


def gateway_v2(asked: Requested, now: float) -> dict[str, Any]:
    """What an HTTP API with payload format 2.0 sends, and a function URL. What is empty is left out, as there."""
    headers = _with_origin(headers_of(asked, ","), asked)
    host, path = headers.get("host", ""), path_of(asked)
    body, is_based = texted(asked)
    joined: dict[str, str] = {}
    for part in asked.query.decode("latin-1").split("&") if asked.query else ():
        name, _, value = part.partition("=")
        name, value = unquote_plus(name), unquote_plus(value)
        if part:
            joined[name] = f"{joined[name]},{value}" if name in joined else value
    cookies = [part.strip() for part in headers.get("cookie", "").split(";") if part.strip()]
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": asked.query.decode("latin-1"),
        **({"cookies": cookies} if cookies else {}),
        "headers": headers,
        **({"queryStringParameters": joined} if joined else {}),
        "requestContext": {
            "accountId": "anonymous",
            "apiId": API,
            "domainName": host,
            "domainPrefix": host.partition(".")[0],
            "http": {
                "method": asked.method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": asked.client,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": asked.id,
            "routeKey": "$default",
            "stage": "$default",
            "time": stamp(now),
            "timeEpoch": int(now * 1000),
        },
        **({} if body is None else {"body": body}),
        "isBase64Encoded": is_based,
    }
