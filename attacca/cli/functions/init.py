"""`attacca init`: a small function to start from, of the kind one asks for."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from attacca.cli.options import Json
from attacca.cli.screens.terminal import say, show_json
from attacca.errors import BadConfig, Conflict

EXAMPLES = """
attacca init hello && attacca deploy hello && attacca invoke hello -a name=bob
attacca init shop --template fastapi
attacca init . --template handler
"""

NAMED = '''"""Says hello. Its parameters are the fields of the JSON body."""


def hello(name: str = "world", times: int = 1) -> dict[str, object]:
    return {"greeting": " ".join([f"hello {name}"] * times)}
'''
HANDLER = '''"""Says hello, with the signature that AWS Lambda has."""

import logging

logging.getLogger().setLevel(logging.INFO)


def handler(event, context):
    logging.info("%s has %d ms left", context.aws_request_id, context.get_remaining_time_in_millis())
    name = event.get("name", "world") if isinstance(event, dict) else "world"
    return {"greeting": f"hello {name}", "request": context.aws_request_id}
'''
MAIN = '''"""Says hello: a dict in, a dict out."""


def main(args: dict) -> dict:
    return {"greeting": f"hello {args.get('name', 'world')}"}
'''
ASGI = '''"""Says hello as an ASGI application, with nothing but the standard library."""

import json


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body = json.dumps({"method": scope["method"], "path": scope["path"], "greeting": "hello"}).encode()
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
'''
FASTAPI = '''"""Says hello with FastAPI. It is imported once; later sandboxes start from a template."""

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
def index() -> dict[str, str]:
    return {"greeting": "hello world"}


@app.get("/hello/{name}")
async def hello(name: str, excited: bool = False) -> dict[str, str]:
    return {"greeting": f"hello {name}{'!' if excited else ''}"}
'''
AT_ONCE = 20  # of an application's invocations in one sandbox: it is made to wait for several at a time
TEMPLATES = {  # the code, its requirements, how to invoke it, and settings that suit it
    "named": (NAMED, "", "-a name=bob -a times=2", ""),
    "handler": (HANDLER, "", "-a name=bob", ""),
    "main": (MAIN, "", "-a name=bob", ""),
    "asgi": (ASGI, "", "-X GET --path /", f"concurrency = {AT_ONCE}\n"),
    "fastapi": (FASTAPI, "fastapi\n", "-X GET --path /hello/bob", f"concurrency = {AT_ONCE}\nmemory_mb = 256\n"),
}
SETTINGS = """\
# What `attacca deploy` reads; its options win. Every setting: attacca deploy --help
name = "{name}"
{settings}
# handler = "main:NAME"   # found by itself when there is one
# memory_mb = 128         # for each sandbox
# timeout_s = 30          # to the last byte of the answer
# concurrency = 1         # invocations at once in one sandbox
# network = "none"        # or "nat", "host"
# min_sandboxes = 0       # kept ready at all times

# [env]
# GREETING = "hello"
"""
REQUIREMENTS = """\
# One package per line, as pip takes them; built once into a bundle that all revisions share.
"""

Directory = Annotated[str, typer.Argument(metavar="[DIR]", help="Where to write; made if need be.", show_default=False)]
Template = Annotated[str, typer.Option("--template", "-t", metavar="KIND", help=f"One of {', '.join(TEMPLATES)}.")]


def run(directory: Directory = ".", *, template: Template = "named", as_json: Json = False) -> None:
    """Write a function to start from: main.py, function.toml, requirements.txt. Never writes over a file."""
    from attacca.client.source import default_name

    if template not in TEMPLATES:
        raise BadConfig(f"there is no template {template!r}", f"--template with one of: {', '.join(TEMPLATES)}")
    path = Path(directory)
    code, packages, arguments, settings = TEMPLATES[template]
    name = default_name(path)
    files = {
        "main.py": code,
        "function.toml": SETTINGS.format(name=name, settings=settings),
        "requirements.txt": REQUIREMENTS + packages,
    }
    there = [file for file in files if (path / file).exists()]
    if there:
        raise Conflict(f"{path / there[0]} exists already; nothing was written", "attacca init NEW_DIRECTORY")
    path.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        (path / file).write_text(content)
    if as_json:
        show_json({"name": name, "directory": str(path), "template": template, "files": list(files)})
        return
    say(f"Wrote {', '.join(files)} {'here' if path == Path() else f'to {path}'}.", "green")
    word = shlex.quote(str(path))
    say(f"  Try: attacca deploy {word} && attacca invoke {name} {arguments}")
    say(f"  or:  attacca dev {word}")
