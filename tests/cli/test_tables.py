"""Screens of the verbs that show tables, at a fixed width and a fixed time."""

import base64
from typing import Any

import msgspec
import pytest

from attacca.cli.functions import dead, deploy, describe, later, schedule, secret
from attacca.cli.functions import list as listing
from attacca.cli.functions.call import show_status as show_call
from attacca.cli.screens import creations
from attacca.cli.screens.terminal import console, show_csv, wants
from attacca.cli.serve import config, doctor, token
from attacca.cli.serve.doctor import Check
from attacca.cli.watch import calls, status, top
from attacca.control.core.cluster.creations import Creation
from attacca.control.http.api import FunctionDetail, FunctionRow, RevisionRow
from attacca.control.http.rows import worker_row
from attacca.kernel.settings import Given
from attacca.model.function import Network, Scale, Scheduling, SecretAs, Settings, Signature
from attacca.model.invocation import Call, Start, Timing
from attacca.model.resources import Resources
from attacca.model.sandbox import FunctionView, SandboxView, Summary, WorkerView
from tests.cli.golden import same

pytestmark = pytest.mark.long  # tables are drawn

NOW = 1_000_000.0
HELLO = FunctionView(
    function="hello", invocations=120, cold=1, template=3, warm=116, errors=2, queued=4, running=2, idle=1, templates=1,
    gap_s=Summary(count=119, mean=0.5, ewma=0.4, p50=0.4, p95=1.0, p99=2.0, max=3.0),
    exec_ms=Summary(count=120, mean=1.5, ewma=1.25, p50=1.2, p95=3.0, p99=9.0, max=12.0),
    cold_ms=Summary(count=1, mean=31.0, ewma=31.0, p50=31.0, p95=31.0, p99=31.0, max=31.0),
)  # fmt: skip
SETTINGS = Settings(
    name="hello", env={"DEBUG": "1", "PATTERN": "[/a-z]"}, secrets={"DB": SecretAs.ENV, "tls-key": SecretAs.FILE},
    network=Network.HOST, cpus=0.5,
)  # fmt: skip


def plain(value: object) -> Any:
    """As it comes over the wire."""
    return msgspec.json.decode(msgspec.json.encode(value))


def call(
    number: int, start: Start | None, timing: Timing, status: int = 200, outcome: str = "ok", why: str = ""
) -> Call:
    total_ms = sum(msgspec.structs.astuple(timing)) + 0.2
    return Call(
        id=f"9f3a01c2d4e5-{number}", function="hello", revision=2, at=NOW - number, status=status, outcome=outcome,
        start=start, why=why, sandbox="s1" if start else "", timing=timing, total_ms=total_ms,
    )  # fmt: skip


CALLS = [
    call(1, Start.WARM, Timing(run=0.4), why="idle"),
    call(5, Start.TEMPLATE, Timing(queued=0.1, placed=0.05, sandbox=1.4, run=0.5), why="every sandbox was busy"),
    call(
        70, Start.COLD, Timing(queued=0.2, placed=0.1, sandbox=3.1, code=0.3, imports=182.5, run=12.0), why="first one"
    ),
    call(80, None, Timing(queued=60_000.0), 504, "timeout", "waited longer than wait_s"),
]


def test_min_sandboxes_that_there_is_no_room_for_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    settings = plain(Settings(name="hello", min_sandboxes=20))
    for kept, said in ((13, "20, but there is room for 13"), (20, "20"), (None, "20")):
        console(width=100).print(describe.settings_table(settings, kept))
        line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("sandboxes, at least"))
        assert line.removeprefix("sandboxes, at least").strip() == said


def test_who_scales_and_places_is_told_where_control_does(capsys: pytest.CaptureFixture[str]) -> None:
    by_cluster = Settings(name="hello", scheduling=Scheduling.CLUSTER)
    chosen = Scale(scaling={"policy": "knative", "target": 2}, placement="random").of(by_cluster)
    for settings, scaling, placement in (
        (by_cluster, "as the server has it", "as the server has it"),
        (chosen, "knative (target 2)", "random"),
    ):
        console(width=100).print(describe.settings_table(plain(settings)))
        rows = [line.split(None, 1) for line in capsys.readouterr().out.splitlines()]
        assert [row[1].strip() for row in rows if row[0] in ("scaling", "placement")] == [scaling, placement]


def test_list(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        FunctionRow(
            function="hello", revision=2, handler="main:hello", signature=Signature.NAMED, memory_mb=128,
            timeout_s=30.0, concurrency=1, network=Network.NONE, deployed_at=NOW - 90,
        ),
        FunctionRow(
            function="a-shop-with-a-long-name", revision=31, handler="shop.web.application:app",
            signature=Signature.ASGI, memory_mb=1024, timeout_s=2.5, concurrency=20, network=Network.HOST,
            deployed_at=NOW - 200_000,
        ),
    ]  # fmt: skip
    listing.show(plain(rows), NOW, width=110)
    same("list", capsys.readouterr().out)


def test_calls(capsys: pytest.CaptureFixture[str]) -> None:
    calls.show(plain(CALLS), NOW, with_function=True, width=140)
    same("calls", capsys.readouterr().out)


def test_calls_on_a_narrow_screen_keep_their_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    calls.show(plain(CALLS), NOW, width=80)
    same("calls_narrow", capsys.readouterr().out)


def test_a_long_reason_gives_way_to_everything_else(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [call(1, Start.COLD, Timing(sandbox=3.0), 500, "function_error", why="[/no] markup " * 20), *CALLS]
    calls.show(plain(rows), NOW, with_function=True, width=80)
    same("calls_long_reason", capsys.readouterr().out)


def test_describe(capsys: pytest.CaptureFixture[str]) -> None:
    revisions = (
        RevisionRow(
            revision=2, is_current=True, handler="main:hello", signature=Signature.NAMED, deployed_at=NOW - 90,
            changes=("memory_mb 64 -> 128",),
        ),
        RevisionRow(
            revision=1, is_current=False, handler="main:hello", signature=Signature.NAMED, deployed_at=NOW - 4000
        ),
    )  # fmt: skip
    detail = FunctionDetail(
        function="hello", revision=2, handler="main:hello", signature=Signature.NAMED, settings=SETTINGS,
        has_requirements=True, deployed_at=NOW - 90, revisions=revisions, statistics=HELLO,
    )  # fmt: skip
    describe.show(plain(detail), "http://127.0.0.1:8080/function/hello", NOW, width=100)
    same("describe", capsys.readouterr().out)


def test_top_has_one_row_for_a_function_of_several_workers() -> None:
    busy = plain(HELLO)
    idle = {**busy, "invocations": 40, "running": 0, "exec_ms": {**busy["exec_ms"], "count": 40, "p50": 2.0}}
    [row] = top.overall([busy, idle])
    assert (row["invocations"], row["running"], row["queued"]) == (160, 2, 8)
    assert row["exec_ms"]["p50"] == pytest.approx((120 * busy["exec_ms"]["p50"] + 40 * 2.0) / 160)
    assert top.overall([busy]) == [busy]


def sandbox_view(name: str, phase: str, **more: Any) -> SandboxView:
    return SandboxView(id=name, revision="hello@2", phase=phase, resources=Resources(128), **more)


def test_top(capsys: pytest.CaptureFixture[str]) -> None:
    sandboxes = (
        SandboxView(
            id="s1", revision="hello@2", phase="busy", resources=Resources(128), busy=1, served=7, age_s=61, idle_s=0
        ),
        SandboxView(
            id="s2", revision="hello@2", phase="idle", resources=Resources(128), busy=0, served=0, age_s=5, idle_s=5
        ),
    )
    view = WorkerView(
        name="worker",
        capacity=Resources(4096),
        used=Resources(1024),
        queued=4,
        running=2,
        limit=2,
        functions=(HELLO,),
        sandboxes=sandboxes,
    )
    for width, name in ((110, "top"), (80, "top_narrow")):
        console(width=width).print(top.picture(plain([worker_row(view)]), "http://127.0.0.1:8080", width=width))
        same(name, capsys.readouterr().out)


def test_top_cuts_what_the_screen_does_not_hold(capsys: pytest.CaptureFixture[str]) -> None:
    one = SandboxView(
        id="s", revision="hello@2", phase="idle", resources=Resources(128), busy=0, served=0, age_s=5, idle_s=5
    )
    view = WorkerView(
        name="worker", capacity=Resources(4096), used=Resources(0), queued=0, running=0, limit=2, sandboxes=(one,) * 30
    )
    console(width=110).print(top.picture(plain([worker_row(view)]), "", rows=20))
    assert "and 18 more" in capsys.readouterr().out


def test_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    checks = [
        Check("python", ok=True, detail="3.11.7", needed=True),
        Check("user namespaces", ok=False, detail="EPERM", hint="sysctl user.max_user_namespaces=1000", needed=True),
        Check("cgroup memory", ok=False, detail="no controller", hint="a watchdog holds memory instead"),
    ]  # fmt: skip
    doctor.show(checks, width=100)
    same("doctor", capsys.readouterr().out)


def test_config(capsys: pytest.CaptureFixture[str]) -> None:
    origins = {
        "port": Given(8080, "default", ""),
        "worker.memory_mb": Given(512, "environment", "ATTACCA_WORKER__MEMORY_MB"),
        "worker.keepalive.options": Given({}, "default", ""),
        "public": Given(value=True, layer="flag", where="--public"),
    }
    config.show(origins, width=100)
    same("config", capsys.readouterr().out)


def test_deployed(capsys: pytest.CaptureFixture[str]) -> None:
    done = {
        "function": "hello", "revision": 3, "handler": "main:hello", "signature": "named", "imports_ms": 12.345,
        "replaced": 2, "changes": ["memory_mb 64 -> 128"], "url": "http://127.0.0.1:8080/function/hello",
    }  # fmt: skip
    deploy.show(done, width=100)
    same("deployed", capsys.readouterr().out)
    deploy.show({**done, "handler": "server", "signature": "wsgi", "imports_ms": 0.0}, width=100)
    assert "  handler  server · wsgi\n" in capsys.readouterr().out


def test_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"name": "DB", "set_at": NOW - 90, "functions": ["hello", "shop"]},
        {"name": "tls-key", "set_at": NOW - 4000, "functions": []},
    ]
    secret.show(rows, NOW, width=60)
    same("secrets", capsys.readouterr().out)


def test_tokens(capsys: pytest.CaptureFixture[str]) -> None:
    token.show([{"id": "4a55aa25", "name": "laptop", "created_at": NOW - 120}], NOW, width=80)
    assert capsys.readouterr().out.splitlines()[1].split() == ["4a55aa25", "laptop", "2m", "ago"]


def test_the_shape_of_an_event_is_shown_where_it_is_not_plain() -> None:
    assert wants({"signature": "named"}) == "named"
    assert wants({"signature": "event", "event": "plain"}) == "event"
    assert wants({"signature": "event_context", "event": "api-gateway-v1"}) == "event_context, api-gateway-v1"


CALL = {
    "id": "124bbd9f53a679c513994487370f6258", "function": "hello", "kind": "async", "state": "dead", "at": NOW - 90,
    "due": NOW, "attempts": 3, "size": 12, "why": "ValueError: \x1b[31mno", "callback": "none", "ended_at": NOW,
    "expires_at": NOW + 60,
}  # fmt: skip


def test_asynchronous_calls(capsys: pytest.CaptureFixture[str]) -> None:
    done = {**CALL, "id": "0" * 32, "state": "done", "attempts": 1, "why": ""}
    later.show_rows([CALL, done], NOW, width=110)
    same("async_calls", capsys.readouterr().out)


def test_a_dead_call(capsys: pytest.CaptureFixture[str]) -> None:
    detail = {
        "call": CALL, "tries": plain(CALLS[:2]), "method": "POST", "path": "/a", "query": "b=c",
        "traceback": "  at x\n", "body": base64.b64encode(b'{"name": "bob"}').decode(),
    }  # fmt: skip
    dead.show_detail(detail, width=100)
    same("dead_call", capsys.readouterr().out)


def test_a_call_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    status = {**CALL, "status": "waiting", "tries": plain(CALLS[:1]), "callback": "waiting"}
    show_call(status, width=100)
    same("call_status", capsys.readouterr().out)


def test_schedules(capsys: pytest.CaptureFixture[str]) -> None:
    row = {
        "function": "hello", "schedule": "30 2 * * *", "timezone": "Europe/Rome", "policy": "skip", "next": NOW + 3600,
        "following": [NOW + 90_000, NOW + 176_400], "settled": NOW, "missed": 2,
    }  # fmt: skip
    never = {**row, "schedule": "0 0 29 2 *", "timezone": "UTC", "next": None, "following": [], "missed": 0}
    schedule.show([row, never], NOW, width=110)
    same("schedules", capsys.readouterr().out)


def test_top_shows_how_busy_a_machine_is() -> None:
    load = {"cpu_share": 0.25, "load_1m": 1.5, "memory_free_mb": 900, "disk_free_mb": 20_480, "received_mb_s": 1.25,
            "sent_mb_s": 0.04}  # fmt: skip
    assert top.machine_line(load).plain == (
        "  cpu 25% · load 1.5 · memory 900 MB free · disk 20 GB free · network 1.2 MB/s in, 0.0 out"
    )


def test_status_shows_the_planes(capsys: pytest.CaptureFixture[str]) -> None:
    load = {"cpu_share": 0.25, "load_1m": 1.5, "memory_free_mb": 900, "disk_free_mb": 20_480}
    told = {"silent": False, "draining": False, "memory_mb": 1024, "used_mb": 256, "queued": 0, "running": 2}
    cluster = {
        "leader": "http://10.0.0.1:7780",
        "term": 5,
        "functions": 3,
        "gateways": [{"name": "g1", "url": "http://10.0.0.1:8080"}],
        "workers": [
            {
                "name": "w1",
                "address": "10.0.0.2:7701",
                "sandboxes": 3,
                "load": load,
                **told,
                "runtimes": {"an image": "crun", "a directory of Python": ""},
                "holds": 2,
            },
            {"name": "w2", "address": "10.0.0.3:7701", "sandboxes": 0, "load": None, **told, "draining": True},
            {"name": "w3", "address": "h:1", **dict.fromkeys(told), "sandboxes": None, "load": None, "silent": True},
        ],
    }
    status.show(cluster, "http://10.0.0.1:7780", 100)
    same("status", capsys.readouterr().out)


def test_creations_phase_by_phase(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        Creation(
            at=NOW - 3, function="f", revision="f@1", sandbox="c1-7", worker="w2", outcome="up", why="panic; its turn",
            decision=0.3, order=1.25, sandbox_ms=4.0, code=0.5, imports=82.0, propagation=0.75,
        ),
        Creation(
            at=NOW - 90, function="f", revision="f@1", sandbox="c1-6", worker="w1", outcome="no_capacity", why="steady",
            decision=0.25, order=0.9,
        ),
    ]  # fmt: skip
    creations.show([plain(row) for row in rows], NOW, width=150)
    same("creations", capsys.readouterr().out)


def test_rows_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    show_csv([plain(one) for one in CALLS[:2]])
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.startswith("id,function,revision,at,status,outcome,start,why,sandbox,timing_queued,timing_placed,")
    assert first.startswith("9f3a01c2d4e5-1,hello,2,999999.0,200,ok,warm,idle,s1,0.0,0.0,")
    assert second.count(",") == head.count(",")
    show_csv([])
    assert capsys.readouterr().out == ""
