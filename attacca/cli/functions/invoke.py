"""`attacca invoke`: one request to a function, or many with a summary."""

import contextlib
import json
import math
import re
import sys
from typing import Annotated, Any, NoReturn, Protocol

import typer

from attacca.cli.command import Refused
from attacca.cli.options import DEFAULT_URL, Json, Name, Token, Url
from attacca.cli.screens.terminal import (
    REST,
    STARTS,
    bar,
    joined,
    json_text,
    milliseconds,
    paint,
    say,
    show_json,
    shown,
)
from attacca.client.http import Answer, Client, decoded, failure, quoted
from attacca.errors import AttaccaError, BadConfig, NotFound

EXAMPLES = """
attacca invoke hello
attacca invoke hello -a name=bob -a times=3
attacca invoke hello -d '{"name": "bob"}' -i  # with headers and timing
attacca invoke thumbnail -f photo.jpg > small.jpg
attacca invoke hello -d @event.json
attacca invoke shop -X GET --path /items/7 --query lang=en --query page=2  # an ASGI function
attacca invoke hello -n 1000 -c 8  # how fast is it?
attacca invoke report --async -a month=7  # its answer is fetched later: attacca call wait ID
"""
JSON, BYTES = "application/json", "application/octet-stream"


Data = Annotated[
    str | None,
    typer.Option("--data", "-d", metavar="JSON", help="The body; @FILE reads one, @- stdin.", show_default=False),
]
Args = Annotated[
    list[str] | None,
    typer.Option("--arg", "-a", metavar="K=V", help="A field of a JSON body; V is JSON, or else a text. Repeatable."),
]
File = Annotated[
    str, typer.Option("--file", "-f", metavar="FILE", help="The body from a file; - is stdin.", show_default=False)
]
Method = Annotated[str, typer.Option("--method", "-X", metavar="METHOD", help="The HTTP method.")]
Path = Annotated[str, typer.Option("--path", metavar="/SUB", help="Below the function.", show_default=False)]
Query = Annotated[
    list[str] | None, typer.Option("--query", metavar="A=B&C=D", help="The query. Repeatable.", show_default=False)
]
ContentType = Annotated[
    str, typer.Option("--content-type", metavar="TYPE", help="Of the body. Default: by its look.", show_default=False)
]
Header = Annotated[
    list[str] | None, typer.Option("--header", "-H", metavar="K: V", help="Repeatable.", show_default=False)
]
Include = Annotated[bool, typer.Option("--include", "-i", help="Headers and timing too, on stderr.")]
Count = Annotated[int, typer.Option("-n", "--count", min=1, metavar="N", help="So many times.")]
Later = Annotated[bool, typer.Option("--async", help="Do not wait: a durable call, whose id is printed.")]
Callback = Annotated[
    str, typer.Option("--callback", metavar="URL", help="With --async: where its answer goes.", show_default=False)
]
Key = Annotated[
    str, typer.Option("--key", metavar="KEY", help="An Idempotency-Key: done once for it.", show_default=False)
]
AtOnce = Annotated[int, typer.Option("-c", "--at-once", min=1, max=1000, metavar="C", help="So many at once.")]


def run(
    name: Name,
    *,
    data: Data = None,
    args: Args = None,
    file: File = "",
    method: Method = "POST",
    path: Path = "",
    query: Query = None,
    content_type: ContentType = "",
    header: Header = None,
    include: Include = False,
    count: Count = 1,
    at_once: AtOnce = 1,
    later: Later = False,
    callback: Callback = "",
    key: Key = "",
    url: Url = DEFAULT_URL,
    token: Token = "",
    as_json: Json = False,
) -> None:
    """Invoke a function and write its answer to stdout, byte for byte.

    JSON is indented when stdout is a terminal. With -n, a summary of latencies, starts and errors instead.
    """
    body, kind = read_body(data, args or [], file)
    target = f"/function/{quoted(name)}{sub_path(path)}{together(query or [])}"
    headers = {"content-type": content_type or kind} if body or content_type else {}
    headers |= read_headers(header or [])
    headers |= {"idempotency-key": key} if key else {}
    if later or callback:
        from attacca.cli.functions.later import accepted

        target = target.replace("/function/", "/async-function/", 1)
        headers |= {"x-attacca-callback-url": callback} if callback else {}
        with Client(url, token) as client:
            accepted(client, method, target, body, headers, count=count, as_json=as_json)
        return
    if count > 1:
        many(name, method, target, body, headers, Client(url, token), count=count, at_once=at_once, as_json=as_json)
        return
    with Client(url, token) as client:
        if as_json:
            show_answer_as_json(client.request(method, target, body, headers))
        else:
            one(client, method, target, body, headers, include=include)


def together(queries: list[str]) -> str:
    """What several options say, one after the other."""
    parts = [part for query in queries if (part := query.removeprefix("?"))]
    return "?" + "&".join(parts) if parts else ""


def read_headers(lines: list[str]) -> dict[str, str]:
    """Those of one name are one, as HTTP has it.

    Raises:
        BadConfig: one has no colon, or characters that no header may have.
    """
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name, value = name.strip(" \t").lower(), value.strip(" \t")
        if not colon or re.fullmatch(r"[!#$%&'*+.^_`|~0-9a-z-]+", name) is None:
            raise BadConfig(f"-H {line[:80]!r} is not NAME: VALUE", "-H 'Accept: text/html'")
        if re.fullmatch(r"[\t -~\xa0-\xff]*", value) is None:
            raise BadConfig(f"-H {name}: a header is of visible latin-1 characters", "write others as %E2%82%AC")
        headers[name] = f"{headers[name]}{'; ' if name == 'cookie' else ', '}{value}" if name in headers else value
    return headers


def read_body(data: str | None, args: list[str], file: str) -> tuple[bytes, str]:
    """The body and its content type.

    Raises:
        BadConfig: two of -d, -a and -f are given, or one is malformed.
        NotFound: no such file.
    """
    if (data is not None) + bool(args) + bool(file) > 1:
        raise BadConfig("-d, -a and -f each say what the body is", "give one of them")
    if data is not None and data.startswith("@") and len(data) > 1:  # as curl has it
        file, data = data[1:], None
    if args:
        return json.dumps(dict(_pair(arg) for arg in args), ensure_ascii=False).encode(), JSON
    if file == "-":
        content = sys.stdin.buffer.read()
        return content, _guess(content, "")
    if file:
        try:
            with open(file, "rb") as source:
                content = source.read()
        except OSError as error:
            raise NotFound(
                f"{file!r} cannot be read: {error.strerror}", "check the name after -f, or after -d @"
            ) from None
        return content, _guess(content, file)
    text = (data or "").encode()
    return text, _guess(text, "")


def _pair(arg: str) -> tuple[str, Any]:
    key, equals, value = arg.partition("=")
    if not equals or not key:
        raise BadConfig(f"-a {arg!r} is not K=V", "-a name=bob")
    try:
        return key, json.loads(value, parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError):
        return key, value


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _no_number(text)


def _no_number(text: str) -> NoReturn:
    """JSON has none without end."""
    raise ValueError(text)


def _guess(content: bytes, file: str) -> str:
    import mimetypes

    if file and (kind := mimetypes.guess_type(file)[0]):
        return kind
    try:
        decoded(content)
    except ValueError:
        try:
            content.decode()
        except UnicodeDecodeError:
            return BYTES
        return "text/plain; charset=utf-8"
    return JSON


def sub_path(path: str) -> str:
    from urllib.parse import quote

    return "/" + quote(path.lstrip("/"), safe="/%:@!$&'()*+,;=~") if path else ""


def one(client: Client, method: str, target: str, body: bytes, headers: dict[str, str], *, include: bool) -> None:
    response = client.send(method, target, body, headers)
    heads = {name.lower(): value for name, value in response.getheaders()}
    if include:
        show_heads(response.status, heads)
    kind = heads.get("content-type", "")
    if response.status >= 400:
        content = response.read()
        if (error := _refusal(response.status, content)) is not None:
            raise error
        _write(content, kind)
        say(paint(f"The function answered {response.status}.", "red", sys.stderr))
        raise Refused
    if kind.startswith(JSON) and sys.stdout.isatty():
        _write(response.read(), kind)
    else:  # as it comes: it may be a stream that goes on for long
        show = _shower()
        while chunk := response.read1():
            show(chunk)
        show(b"", is_last=True)
    if sys.stdout.isatty():
        sys.stdout.write("\n")


def _refusal(status: int, content: bytes) -> AttaccaError | None:
    try:
        if set(decoded(content)["error"]) >= {"code", "message"}:
            return failure(status, content)
    except (ValueError, KeyError, TypeError):
        pass
    return None


def _write(content: bytes, kind: str) -> None:
    if kind.startswith(JSON) and sys.stdout.isatty():
        with contextlib.suppress(ValueError):
            content = json_text(decoded(content), 2).encode(errors="replace")
    _shower()(content, is_last=True)


class Shower(Protocol):
    def __call__(self, content: bytes, *, is_last: bool = False) -> None: ...


def _shower() -> Shower:
    """Writes an answer piece by piece: byte for byte for a program, and for a terminal with what is invisible spelt."""
    import codecs

    stream = sys.stdout
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace") if stream.isatty() else None

    def show(content: bytes, *, is_last: bool = False) -> None:
        stream.flush()
        if decoder is not None:
            content = shown(decoder.decode(content, is_last)).encode(stream.encoding, "replace")
        stream.buffer.write(content)
        stream.buffer.flush()

    return show


def show_heads(status: int, heads: dict[str, str]) -> None:
    say(f"HTTP {status}", "bold green" if status < 400 else "bold red")
    for name, value in heads.items():
        say(joined(paint(name, "cyan", sys.stderr), ": ", value))
    timing = server_timing(heads.get("server-timing", ""))
    if timing:
        total_ms = timing.pop("total", 0.0)
        timing[REST] = max(total_ms - sum(timing.values()), 0.0)
        start = heads.get("x-attacca-start", "")
        painted = joined(*(paint("━" * cells, colour, sys.stderr) for colour, cells in bar(timing, 32)))
        parts = " · ".join(f"{part} {milliseconds(value)}" for part, value in timing.items() if value > 0)
        say(joined(paint(start, STARTS.get(start, "bold"), sys.stderr), " ", painted, f" {parts} ms"))
    say("")


def server_timing(header: str) -> dict[str, float]:
    """`queued;dur=0.1, run;dur=3` as numbers."""
    timing = {}
    for entry in header.split(","):
        name, *params = (part.strip() for part in entry.split(";"))
        for param in params:
            key, _, value = param.partition("=")
            if key == "dur" and name:
                try:
                    timing[name] = float(value)
                except ValueError:
                    continue
    return timing


def show_answer_as_json(answer: Answer) -> None:
    if answer.status >= 400 and (error := _refusal(answer.status, answer.body)) is not None:
        raise error
    show_json(
        {
            "id": answer.headers.get("x-attacca-invocation-id", ""),
            "status": answer.status,
            "start": answer.headers.get("x-attacca-start", ""),
            "timing_ms": server_timing(answer.headers.get("server-timing", "")),
            "headers": answer.headers,
            **_body_as_json(answer),
        }
    )
    if answer.status >= 400:
        raise Refused


def _body_as_json(answer: Answer) -> dict[str, Any]:
    if answer.headers.get("content-type", "").startswith(JSON):
        try:
            return {"body": decoded(answer.body)}
        except ValueError:
            pass
    try:
        return {"body": answer.body.decode()}
    except UnicodeDecodeError:
        import base64

        return {"body_base64": base64.b64encode(answer.body).decode()}


def many(
    name: str,
    method: str,
    target: str,
    body: bytes,
    headers: dict[str, str],
    client: Client,
    *,
    count: int,
    at_once: int,
    as_json: bool,
) -> None:
    from attacca.cli.screens.burst import show as show_burst
    from attacca.cli.screens.progress import counting
    from attacca.lab import burst

    tick, stop = counting(count, quiet=as_json)
    try:
        shots, elapsed_s = burst.fire(
            lambda each: each.request(method, target, body, headers), client.another, count, at_once, tick
        )
    finally:
        stop()
    if as_json:
        show_json(burst.summary(shots, elapsed_s))
    else:
        show_burst(name, shots, elapsed_s, at_once)
    if any(shot.error for shot in shots):
        raise Refused
