"""Resources of workflows on the servers that they are for: the same checks for all, and what each does there."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from redis import Redis

from attacca.errors import AttaccaError
from attacca.kernel.clock import SystemClock
from attacca.workflow.core.identities import of_instance
from attacca.workflow.resources import RESOURCES
from attacca.workflow.resources.conformance import Step, Subject, check_resource
from attacca.workflow.resources.making import Classes
from attacca.workflow.resources.reach import FAR, Reach
from attacca.workflow.resources.runtime import ResourceRuntime
from attacca.workflow.resources.types import Host, Resource
from tests.live import stores
from tests.live.brokers import Mosquitto, Postgres

NEAR = Reach(("127.0.0.0/8", "localhost"))
BEGINS, NONSENSE, NEXT = "it begins", "nonsense ends too", "and the next event is taken"
CAST, CALL, NO_CALL = "a cast is taken", "a call is taken", "a call is refused"
AWAY, BACK, ENDS = "a server that is away is told", "and waited for", "it ends, and leaves nothing behind"


class Servers:
    def __init__(self, redis: stores.StoreServer, mqtt: Mosquitto, postgres: Postgres) -> None:
        self.redis, self.mqtt, self.postgres = redis, mqtt, postgres

    def url(self, kind: str) -> str:
        return {
            "redis": f"redis://localhost:{self.redis.port}/3",
            "mqtt": f"mqtt://127.0.0.1:{self.mqtt.port}",
            "postgres": f"postgresql://me@127.0.0.1:{self.postgres.port}/postgres",
        }[kind]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """What is nobody's has a directory that nobody can reach, as those of pytest are not for long."""
    with (
        stores.running("redis", tmp_path_factory.mktemp("redis")) as redis,
        tempfile.TemporaryDirectory(prefix="attacca-postgres-") as open_to_all,
    ):
        mqtt, postgres = Mosquitto(tmp_path_factory.mktemp("mosquitto")), Postgres(Path(open_to_all))
        try:
            mqtt.start()
            postgres.start()
            yield Servers(redis, mqtt, postgres)
        finally:
            mqtt.stop()
            postgres.stop()


def steps(server: Any) -> dict[str, Step]:
    async def leave() -> None:
        await asyncio.to_thread(server.stop)

    async def come_back() -> None:
        await asyncio.to_thread(server.start)

    return {"leave": leave, "come_back": come_back}


def subject(name: str, servers: Servers) -> Subject:
    redis, mqtt = servers.url("redis"), servers.url("mqtt")
    match name:
        case "redis":
            return Subject(name, {"url": redis, "key": "k"}, b"k", b"k", **steps(servers.redis))
        case "pub-sub":
            return Subject(name, {"url": redis, "publish": "a", "subscribe": "b"}, b"1", b"2", **steps(servers.redis))
        case "metrics-collector":
            mark = b"function:begin:1"
            return Subject(name, {"url": redis}, mark, mark)
        case "mqtt":
            return Subject(name, {"url": mqtt, "publish": "a", "subscribe": "b"}, b"1", b"2", **steps(servers.mqtt))
        case "sqlx":
            url = servers.url("postgres")
            return Subject(name, {"url": url}, b"SELECT 1 AS a", b"SELECT $1 AS id", **steps(servers.postgres))
        case "sqlite":
            return Subject("sqlx", {"url": "sqlite://my.db"}, b"SELECT 1 AS a", b"SELECT $1 AS id")
        case "file-log":
            return Subject(name, {"filename": "x"}, b"1", b"2")
        case "file-pusher":
            return Subject(name, {"period-ms": "5"})
        case "http-ingress":
            return Subject(name, {})
        case _:
            raise AssertionError(name)


@pytest.mark.parametrize(
    "name",
    ["file-log", "file-pusher", "http-ingress", "metrics-collector", "mqtt", "pub-sub", "redis", "sqlite", "sqlx"],
)
def test_what_holds_for_all(name: str, servers: Servers, tmp_path: Path) -> None:
    (tmp_path / "pushed").mkdir()
    (tmp_path / "pushed" / "a").write_text("a")
    what = subject(name, servers)

    async def check() -> list[str]:
        return await check_resource(what, ResourceRuntime(Classes().find, tmp_path, SystemClock(), NEAR))

    taken = [CAST, CALL, NONSENSE, NEXT] if what.cast else ["a cast is refused", NO_CALL, NONSENSE]
    away = [AWAY, BACK] if what.leave else []
    assert asyncio.run(check()) == [BEGINS, *taken, *away, ENDS]


# What each does.


class Made:
    """One of a node's resources, and what it has sent."""

    def __init__(self, name: str, configuration: dict[str, str], directory: Path, reach: Reach = NEAR) -> None:
        clock = SystemClock()
        self.sent: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        host = Host(lambda *event: self.sent.put_nowait(event), directory, clock.wall, clock.now, reach, patience_s=0.0)
        self.resource: Resource = RESOURCES[name](configuration, host)


@asynccontextmanager
async def made(name: str, at: Path, reach: Reach = NEAR, **configuration: str) -> AsyncIterator[Made]:
    told = {key if key == "wf_name" else key.replace("_", "-"): value for key, value in configuration.items()}
    one = Made(name, told, at, reach)
    try:
        await one.resource.open("w.me.1@w", "w")
        yield one
    finally:
        await one.resource.close()


async def refused(work: Coroutine[Any, Any, object]) -> str:
    try:
        await work
    except AttaccaError as error:
        return error.message
    raise AssertionError("it was not refused")


def test_redis_keeps_values_by_key(servers: Servers, tmp_path: Path) -> None:
    async def story() -> None:
        async with made("redis", tmp_path, url=servers.url("redis"), key="at", add_workflow_id="true") as one:
            await one.resource.cast("a", b"\xff1")
            assert await one.resource.call("a", b"at") == b"\xff1"
            assert "there is no key b'w:nothing'" in await refused(one.resource.call("a", b"nothing"))
        async with made("redis", tmp_path, url=servers.url("redis")) as one:
            assert await one.resource.call("a", b"w:at") == b"\xff1"
            assert "no key to set" in await refused(one.resource.cast("a", b""))

    asyncio.run(story())


def test_what_one_says_others_hear(servers: Servers, tmp_path: Path) -> None:
    async def story() -> None:
        for name, url in (("pub-sub", "redis"), ("mqtt", "mqtt")):
            async with (
                made(name, tmp_path, url=servers.url(url), subscribe="a, b") as listener,
                made(name, tmp_path, url=servers.url(url), publish="b") as speaker,
            ):
                await speaker.resource.cast("a", b"\xff1")
                assert await asyncio.wait_for(listener.sent.get(), 5) == ("out", b"\xff1")
                assert await speaker.resource.call("a", b"2") == (b"1" if name == "pub-sub" else b"")
                assert "publishes nothing" in await refused(listener.resource.cast("a", b""))
                assert "1 heard" in repr(listener.resource) or "2 heard" in repr(listener.resource)

    asyncio.run(story())


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_statements_are_run(kind: str, servers: Servers, tmp_path: Path) -> None:
    url = "sqlite://sub/my.db" if kind == "sqlite" else servers.url(kind)

    async def story() -> None:
        async with made("sqlx", tmp_path, url=url) as one:
            run = one.resource.call
            inserted = await run("a", b"""INSERT INTO WorkflowState (id, metadata) VALUES ($1, '{"a": [1]}')""")
            assert inserted in (b"rows_affected: 1, last_insert_rowid: 1.", b"rows_affected: 1.")
            found = await run("a", b"SELECT id, metadata FROM WorkflowState WHERE id = $1")
            assert json.loads(found or b"") == {"id": "w", "metadata": {"a": [1]}}
            more = b"INSERT INTO WorkflowState SELECT 'x', metadata FROM WorkflowState"
            assert (await run("a", more) or b"").startswith(b"rows_affected: 1")
            assert (await run("a", b"DELETE FROM WorkflowState") or b"").startswith(b"rows_affected: 2")
            assert "no such row" in await refused(run("a", b"SELECT id FROM WorkflowState"))
            assert "refuses" in await refused(run("a", b"SELEC"))
            assert "refuses" in await refused(run("a", b"DELETE FROM nothing; DELETE FROM WorkflowState"))

    asyncio.run(story())


def test_a_file_of_sqlite_leads_to_no_other(tmp_path: Path) -> None:
    other = tmp_path / "other.db"

    async def story() -> None:
        async with made("sqlx", tmp_path / "mine", url="sqlite://my.db") as one:
            for statement in (
                f"ATTACH '{other}' AS o",
                f"VACUUM INTO '{other}'",
                "PRAGMA page_size",
                "SELECT load_extension('x')",
            ):
                assert "refuses" in await refused(one.resource.call("a", statement.encode()))

    asyncio.run(story())
    assert not other.exists()


def test_metrics_are_kept_as_edgeless_keeps_them(servers: Servers, tmp_path: Path) -> None:
    me, client = of_instance("w.f.1"), Redis(port=servers.redis.port, db=3, decode_responses=True)
    client.flushdb()

    async def story() -> None:
        async with made("metrics-collector", tmp_path, url=servers.url("redis"), wf_name="mine", alpha="0.5") as one:
            for mark in ("workflow:begin:1", "function:begin:7", "function:end:7", "workflow:end:1", "function:end:8"):
                await one.resource.cast("w.f.1@n", mark.encode())
            assert await one.resource.call("w.f.1@n", b"workflow:begin:2") == b""
            assert repr(one.resource) == "<MetricsCollector 1 begun, 2 kept>"
            assert "nothing that a metrics-collector knows" in await refused(
                one.resource.cast("a", b"function:begin:x")
            )

    asyncio.run(story())
    kept = [f"{name}:{end}" for name in (f"function:{me}", "workflow:mine") for end in ("average", "samples")]
    assert sorted(client.scan_iter()) == kept
    (sample,) = client.lrange(f"function:{me}:samples", 0, -1)
    took, at = str(sample).split(",")
    assert (took.isdigit(), float(at) > 1e9) == (True, True)
    assert float(client.get(f"function:{me}:average") or "") >= 0.0

    async def reset() -> None:
        async with made("metrics-collector", tmp_path, url=servers.url("redis"), wf_name="mine") as one:
            for mark in ("workflow:begin:1", "workflow:end:1", "reset:60000", "workflow:begin:1", "workflow:end:1"):
                await one.resource.cast("w.f.1@n", mark.encode())

    asyncio.run(reset())
    assert sorted(client.scan_iter()) == kept[:2]
    client.close()


@asynccontextmanager
async def world(answer: Callable[[web.Request], Coroutine[Any, Any, web.StreamResponse]]) -> AsyncIterator[int]:
    app = web.Application(client_max_size=1 << 30)
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def mirror(request: web.Request) -> web.StreamResponse:
    if request.path == "/elsewhere":
        return web.Response(status=302, headers={"location": "http://169.254.169.254/"})
    if request.path == "/cut" and request.transport is not None:
        request.transport.close()
    if request.path == "/large":
        return web.Response(body=b"x" * (17 << 20))
    said = f"{request.method} {request.path_qs} {request.headers.get('x-mine')} ".encode() + await request.read()
    return web.Response(status=418 if request.path == "/teapot" else 200, body=said, headers={"X-Theirs": "1"})


def test_the_world_is_asked(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(mirror) as port, made("http-egress", tmp_path) as one:
            asked: dict[str, Any] = {
                "protocol": "HTTP",
                "host": f"localhost:{port}",
                "method": "Post",
                "path": "/a?b=c",
            }
            asked |= {"headers": {"x-mine": "7"}, "body": list(b"hi")}
            told = json.loads(await one.resource.call("a", json.dumps(asked).encode()) or b"")
            assert (told["status"], told["headers"]["x-theirs"]) == (200, "1")
            assert bytes(told["body"]) == b"POST /a?b=c 7 hi"
            away = {"protocol": "HTTP", "host": f"127.0.0.1:{port}", "path": "/elsewhere"}
            assert json.loads(await one.resource.call("a", json.dumps(away).encode()) or b"")["status"] == 302
            large = {**away, "path": "/large"}
            assert "over 16 MB" in await refused(one.resource.call("a", json.dumps(large).encode()))
            closed = {**away, "host": "127.0.0.1:1"}
            assert "is not reached" in await refused(one.resource.call("a", json.dumps(closed).encode()))
            cut = {**away, "path": "/cut"}
            assert "does not answer" in await refused(one.resource.call("a", json.dumps(cut).encode()))
            assert "no request" in await refused(one.resource.call("a", b"{}"))

    asyncio.run(story())


def test_events_are_posted(tmp_path: Path) -> None:
    async def story() -> None:
        async with world(mirror) as port:
            url = f"http://127.0.0.1:{port}"
            async with made("http-poster", tmp_path, url=f"{url}/to") as one:
                assert await one.resource.call("a", b"hi") == b"POST /to None hi"
            host = Host(lambda *_: None, tmp_path, lambda: 0.0, reach=NEAR)
            decoding = RESOURCES["http-poster"]({"url": f"{url}/teapot", "decode_base64": "true"}, host)
            await decoding.open("a", "b")
            assert "/teapot answered 418: POST /teapot None hi" in await refused(decoding.call("a", b"aGk="))
            assert "no base64" in await refused(decoding.call("a", b"hi"))
            await decoding.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("name", "configuration", "data"),
    [
        ("http-egress", {}, b'{"protocol": "HTTP", "host": "127.0.0.1:1"}'),
        ("http-egress", {}, b'{"protocol": "HTTP", "host": "localhost:1"}'),
        ("http-egress", {}, b'{"protocol": "HTTP", "host": "[::1]:1"}'),
        ("http-egress", {}, b'{"protocol": "HTTP", "host": "2130706433:1"}'),
        ("http-poster", {"url": "http://localhost:1"}, b""),
        ("redis", {"url": "redis://localhost:1"}, b""),
        ("mqtt", {"url": "mqtt://localhost:1", "publish": "a"}, b""),
        ("sqlx", {"url": "postgresql://localhost:1/x"}, b""),
    ],
)
def test_the_machine_itself_is_not_for_them(
    name: str, configuration: dict[str, str], data: bytes, tmp_path: Path
) -> None:
    async def story() -> str:
        async with made(name, tmp_path, FAR, **configuration) as one:
            return await refused(one.resource.cast("a", data))

    try:
        message = asyncio.run(story())
    except AttaccaError as error:
        message = error.message
    assert "may not speak to" in message or "not found" in message or "not reached" in message


def test_files_are_pushed_one_after_the_other(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in "ab":
        (tmp_path / "in" / name).write_text(name)

    async def story() -> list[bytes]:
        async with made("file-pusher", tmp_path, directory="in", period_ms="1", encode_base64="true") as one:
            return [(await one.sent.get())[1] for _ in range(3)]

    assert asyncio.run(story()) == [b"YQ==", b"Yg==", b"YQ=="]
