"""function.toml, the settings of a deployment as JSON, and `--set`: only errors of ours, and what is taken is whole."""

import json
import math
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random

import msgspec

from attacca.cli.serve.configuration import ServerConfig, load
from attacca.client.source import find
from attacca.control.http.routes import read_settings
from attacca.errors import BadConfig, BadRequest
from attacca.kernel import settings as layers
from attacca.model.environment import ENV_KB
from attacca.model.function import Settings
from tests.fuzz.door import Door, refusal
from tests.fuzz.mutation import NUMBERS, UNICODE, mutate

TOML, JSON, SERVER, SET = b"t", b"j", b"s", b"="  # the first byte of an input
FIELDS = tuple(field.name for field in msgspec.structs.fields(Settings))
NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
SECRET = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
WHOLE = {
    "name": "shop", "handler": "main:app", "memory_mb": 256, "timeout_s": 10.5, "first_byte_s": 2, "wait_s": 5,
    "concurrency": 20, "env": {"MODE": "test", "_x": "é😀\t"}, "min_sandboxes": 1, "max_sandboxes": 4, "cpus": 0.5,
    "queue": 10, "network": "host", "idempotent": True, "secrets": {"KEY": "env", "tls-key": "file"},
}  # fmt: skip
VALUES = (
    *NUMBERS, '""', '"x"', "true", "false", "null", "[]", "{}", "[1]", '{"a":1}', '{"a":{"b":1}}', '"none"', '"host"',
    '"env"', '"file"',
    '"1"', '"0.5"', '"\\u0000"', '"\\ud800"', '"a\\nb"', '"shop\\n"', "2024-01-01", "07:32:00",
    "1979-05-27T07:32:00Z",
    "'''x'''", '"""\nx"""', '"' + "x" * 300 + '"', "[" * 500 + "]" * 500, "0b1", "0o7", "1_000", "{a=1}", "{a.b=1}",
    *(json.dumps(text) for text in UNICODE), *(json.dumps("A" + text) for text in UNICODE),
)  # fmt: skip
KEYS = (
    *FIELDS, "env.A", "env.\"A B\"", 'env."A\\n"', "env.A.B", "env.1", 'env.""', "env",
    "secrets.A", "secrets.a-b", '"name "', "Name", "nam",
    "[env]",
    "[[env]]", "[env.A]", "a.b.c", '"__proto__"', "é", "name.x",
    "gateway.port", "gateway.max_body_mb", "worker.memory_mb", "control.state_dir", "worker.keepalive.policy",
    "gateway.balancing.policy", "gateway.balancing.x", "worker.keepalive", "gateway",
)  # fmt: skip


class Written(Door):
    name = "settings"
    largest = 40_000
    words = tuple(text.encode("utf-8", "surrogateescape") for text in (*KEYS, *VALUES, " = ", "\n", ",", ":"))

    def open(self) -> None:
        self._room = Path(tempfile.mkdtemp(prefix="attacca-fuzz-"))
        (self._room / "main.py").write_text("def handler(): return 1\n")

    def close(self) -> None:
        shutil.rmtree(self._room)

    def seeds(self) -> list[bytes]:
        env = "\n".join(f'V{number} = "{"x" * 100}"' for number in range(250))
        plain = {key: value for key, value in WHOLE.items() if key not in ("env", "secrets")}
        toml = "".join(f"{key} = {json.dumps(value)}\n" for key, value in plain.items())
        return [
            TOML + toml.encode() + '[env]\nMODE = "test"\n_x = "é😀"\n'.encode(),
            TOML + b"[secrets]\nKEY = 'env'\ntls-key = 'file'\n",
            TOML + b"",
            TOML + b"memory_mb = 64\nenv = { A = '1' }\n",
            TOML + b"env.A = '1'\nenv.B = '2'\n",
            TOML + f"[env]\n{env}\n".encode(),
            JSON + json.dumps(WHOLE).encode(),
            JSON + b'{"name":"x"}',
            JSON + json.dumps({"name": "x", "env": {f"V{number}": "x" * 100 for number in range(250)}}).encode(),
            SERVER + b"[gateway]\nport = 8080\n[worker]\nmemory_mb = 512\n",
            SET + b"gateway.port=8081",
            SET + b"worker.keepalive.policy=lru",
        ]

    def traps(self) -> list[bytes]:
        deep = (
            "[" * 18_000,
            '{"a":' * 6_000,
            '{"name":"x","env":' + "[" * 18_000,
            '{"name":"x","env":{"A":' + "[" * 18_000,
        )
        found = [JSON + text.encode() for text in deep]
        found += [
            kind + text.encode()
            for kind in (TOML, SERVER)
            for text in ("a=" + "[" * 18_000, "a=" + "{a=" * 9_000, "a." * 9_000 + "a=1")
        ]
        return [
            *found,
            SET + b"a." * 9000 + b"a=1",
            SET + b"a=" + b"[" * 18_000,
            TOML + b"\xff",
            TOML + b"\xef\xbb\xbfname='x'",
        ]

    def make(self, chance: Random, corpus: list[bytes]) -> bytes:
        if chance.random() < 0.5:
            return mutate(chance, corpus, self.words)[: self.largest]
        kind, count = chance.choice((TOML, JSON, SERVER, SET)), chance.randint(1, 4)
        pairs = [(chance.choice(KEYS), chance.choice(VALUES)) for _ in range(count)]
        if kind == JSON:
            inner = ",".join(f"{json.dumps(key)}:{value}" for key, value in pairs)
            return kind + f'{{"name":"x",{inner}}}'.encode("utf-8", "surrogateescape")
        if kind == SET:
            return kind + f"{pairs[0][0]}={pairs[0][1]}".encode("utf-8", "surrogateescape")
        return kind + "".join(f"{key} = {value}\n" for key, value in pairs).encode("utf-8", "surrogateescape")

    def is_a_strangers(self, data: bytes) -> bool:
        """TOML is read where it was written."""
        return data[:1] == JSON

    def check(self, data: bytes) -> str:
        kind, rest = data[:1], data[1:]
        try:
            if kind == TOML:
                (self._room / "function.toml").write_bytes(rest)
                whole(find(self._room, {"name": None}).settings)
            elif kind == JSON:
                whole(read_settings(rest.decode("utf-8", "replace")))
            elif kind == SERVER:
                (self._room / "attacca.toml").write_bytes(rest)
                settles(load({}, str(self._room / "attacca.toml")))
            else:
                settles(load({}, assignments=[rest.decode("utf-8", "surrogateescape")]))
        except (BadConfig, BadRequest) as error:
            return refusal(error)
        return "taken"


# The oracle.


def whole(settings: Settings) -> None:
    """Every field is what it says, and it comes through everything that it is put through."""
    assert NAME.fullmatch(settings.name), "the name is none"
    numbers = (settings.timeout_s, settings.first_byte_s, settings.wait_s, settings.cpus)
    assert all(number is None or (math.isfinite(number) and number > 0) for number in numbers), "a number is none"
    assert 32 <= settings.memory_mb <= 1 << 20, "the memory is out of bounds"
    assert settings.max_sandboxes is None or 0 <= settings.min_sandboxes <= settings.max_sandboxes, "less than least"
    for name, value in settings.env.items():
        assert VARIABLE.fullmatch(name), "a variable's name is none"
        os.fsencode(f"{name}={value}")  # as execve wants it
        assert "\0" not in value, "a variable cannot be set"
    size = sum(len(name.encode()) + len(value.encode()) for name, value in settings.env.items())
    assert size <= ENV_KB << 10, "the environment is too large"
    assert len(settings.secrets) <= 32, "too many secrets"
    assert all(SECRET.fullmatch(name) for name in settings.secrets), "a secret's name is none"
    variables = [name for name, kind in settings.secrets.items() if kind == "env"]
    assert all(VARIABLE.fullmatch(name) and name not in settings.env for name in variables), "a secret is no variable"
    assert settings.handler is None or len(settings.handler) <= 200, "the handler is too long"
    sent = msgspec.json.encode(settings)
    assert read_settings(sent.decode()) == settings, "the server reads it otherwise"
    assert json.loads(sent)["name"] == settings.name, "other languages read it otherwise"


def settles(settled: layers.Settled[ServerConfig]) -> None:
    """A server's own settings can be shown and written down, each with where it came from."""
    for key, given in settled.origins.items():
        msgspec.json.encode({key: layers.plain(given.value), "where": given.where})
    numbers = [value for value in flat(layers.plain(settled.value)) if isinstance(value, float)]
    assert all(map(math.isfinite, numbers)), "a number is none"


def flat(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from flat(inner)
    else:
        yield value
