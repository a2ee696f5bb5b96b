"""Requests that are nearly right: every part of one, with what parsers have disagreed on."""

from random import Random

from tests.fuzz.mutation import NUMBERS

CHUNKED = "Transfer-Encoding: chunked"
METHODS = (
    "GET",
    "POST",
    "PUT",
    "HEAD",
    "OPTIONS",
    "DELETE",
    "PATCH",
    "TRACE",
    "CONNECT",
    "get",
    "PRI",
    "M-SEARCH",
    "SOURCE",
    "PLAY",
    "",
    "G T",
    "\x00",
)
TARGETS = (
    *(
        "/function/echo",
        "/function/later",
        "/function/stream",
        "/function/echo/a/b?c=d",
        "/function/stream/x%2fy?z#w",
        "/function/nobody",
    ),
    *(
        "/function/",
        "/function",
        "/",
        "/healthz",
        "/metrics",
        "/api",
        "/api/functions",
        "*",
        "host:80",
        "http://h/function/echo",
    ),
    *(
        "http://h",
        "HTTP://h:1/function/echo?x",
        "ftp://h/x",
        "//function/echo",
        "/function/%65cho",
        "/function/ec%00ho",
        "/function/%",
    ),
    *(
        "/./function/echo",
        "/function/../function/echo",
        "/a b",
        "/é",
        "/\x7f",
        "",
        "?",
        "#",
        "/function/echo?" + "q" * 3000,
        "/" + "x" * 5000,
    ),
)
VERSIONS = (
    "HTTP/1.1",
    "HTTP/1.1",
    "HTTP/1.1",
    "HTTP/1.1",
    "HTTP/1.0",
    "HTTP/0.9",
    "HTTP/2.0",
    "HTTP/1.2",
    "HTTP/1.10",
    "http/1.1",
    "RTSP/1.1",
    "RTSP/1.0",
    "ICE/1.1",
    "",
    "HTTP/ 1.1",
)
HEADERS = (
    *(
        "Host: localhost",
        "Host: localhost:8080",
        "Host: echo",
        "Host: nobody",
        "Host: localhost:abc",
        "Host:",
        "Host: [::1]",
        "Host: a, b",
        "Host: é",
        "hOST: localhost",
    ),
    *(
        "Content-Length: 0",
        "Content-Length: 5",
        "Content-Length: 05",
        "Content-Length: +5",
        "Content-Length: -5",
        "Content-Length: 5,5",
    ),
    *(
        "Content-Length: 5 5",
        "Content-Length: 0x5",
        "Content-Length:",
        "Content-Length : 5",
        " Content-Length: 5",
        "Content_Length: 5",
    ),
    *(f"Content-Length: {number}" for number in NUMBERS),
    *(
        CHUNKED,
        "transfer-encoding:chunked",
        "Transfer-Encoding: Chunked",
        "Transfer-Encoding: chunked ",
        "Transfer-Encoding: gzip, chunked",
    ),
    *(
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity",
        "Transfer-Encoding:",
        "Transfer-Encoding: \x0bchunked",
    ),
    *(
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding\t: chunked",
        "Transfer-Encoding:\r\n chunked",
        'Transfer-Encoding: "chunked"',
    ),
    *(
        "Connection: close",
        "Connection: keep-alive",
        "Connection: close, keep-alive",
        "Connection: upgrade",
        "Connection: x",
        "Keep-Alive: 5",
    ),
    *(
        "Upgrade: h2c",
        "Upgrade: websocket",
        "Expect: 100-continue",
        "Expect: x",
        "TE: trailers",
        "Trailer: X",
        "Content-Type: text/plain",
    ),
    *(
        "X:",
        "X: \x00",
        "X: a\rb",
        "X: a\nb",
        "X: \xff",
        "X\x00: a",
        ": a",
        "no colon",
        " folded",
        "\tfolded",
        "X: " + "y" * 4000,
        "\r",
        "\n",
    ),
    *(
        "X-Attacca-Detail: 1",
        "Origin: http://x",
        "Authorization: Bearer x",
        "Forwarded: for=1",
        "Via: x",
        "X-Forwarded-For: 1",
    ),
)
SIZES = (
    "0",
    "5",
    "05",
    "00000000005",
    "5;x=y",
    "5 ;x",
    "5;" + "e" * 300,
    "0x5",
    "-5",
    "+5",
    "5 ",
    " 5",
    "a",
    "A",
    "G",
    "",
    "F" * 16,
    "1" + "0" * 16,
    "5\n",
)
TRAILERS = (
    *("", "", "", "T: 1\r\n", "Content-Length: 5\r\n", "T : 1\r\n", "bad\r\n", "T: " + "t" * 5000 + "\r\n"),
    *("Connection: close\r\n", "T: 1\r\nconnection: Keep-Alive\r\n", "Upgrade: x\r\nConnection: upgrade\r\n"),
    *("Transfer-Encoding: chunked\r\n", "Proxy-Connection: close\r\n", "Host: other\r\n"),
)
WORDS = (
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b"\r\r\n",
    b"0\r\n\r\n",
    b" ",
    b"\t",
    b":",
    b"\0",
    b"HTTP/1.1",
    b" RTSP/1.1",
    *(line.encode() + b"\r\n" for line in HEADERS),
)


def drawn(chance: Random) -> bytes:
    """Mostly right: a request is wrong in one thing or two."""
    body = b"hello"
    method = chance.choice(METHODS) if chance.random() < 0.15 else chance.choice(METHODS[:4])
    target = chance.choice(TARGETS) if chance.random() < 0.4 else chance.choice(TARGETS[:3])
    lines = [] if chance.random() < 0.1 else ["Host: localhost"]
    match chance.randrange(4):
        case 0:
            lines.append("Content-Length: 5")
        case 1:
            lines.append(CHUNKED)
            size = chance.choice(SIZES) if chance.random() < 0.3 else "5"
            last = chance.choice(SIZES) if chance.random() < 0.1 else "0"
            body = f"{size}\r\nhello\r\n{last}\r\n{chance.choice(TRAILERS)}\r\n".encode()
        case 2:
            lines.append("Content-Length: 3000")
            body = b"x" * 3000
        case _:
            body = b""
    for _ in range(chance.choice((0, 0, 1, 1, 2, 4))):
        lines.insert(chance.randint(0, len(lines)), chance.choice(HEADERS))
    version = chance.choice(VERSIONS)
    end = "\r\n" if chance.random() < 0.97 else "\n"
    return end.join([f"{method} {target} {version}", *lines, "", ""]).encode() + body
