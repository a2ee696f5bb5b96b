"""The admin API: `/api/...`, JSON in and out, its OpenAPI document at `/api/schema`."""

import logging
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

import msgspec
from litestar import Litestar, Request, Response, Router, delete, get, post, put
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Stream

import attacca
from attacca.control.core.progress import Progress
from attacca.control.core.statistics import overall
from attacca.control.driver import Control
from attacca.control.http import async_routes, code_routes, history_routes, run_routes, scaling_routes, worker_routes
from attacca.control.http.api import (
    ClusterRow,
    CordonRequest,
    ErrorBody,
    ErrorLine,
    EvictRequest,
    Explanation,
    FunctionDetail,
    FunctionRow,
    NewToken,
    PrewarmRequest,
    RevisionNow,
    RollbackRequest,
    ScaleNow,
    SecretRow,
    TokenRequest,
    TokenRow,
    WorkerRow,
)
from attacca.control.http.authorization import Observe, refuse_scope
from attacca.control.http.context import ApiContext, TheContext, giving
from attacca.control.http.document import (
    PATH,
    DeployOperation,
    Document,
    SecondsBack,
    SecretOperation,
    expect_page,
    refusals,
)
from attacca.control.http.rows import cluster_row, detail, progress_line, row, scale_now, worker_row
from attacca.control.secrets import Secret
from attacca.errors import (
    AttaccaError,
    BadRequest,
    Cancelled,
    Internal,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    TooManyDeployments,
    Unauthorized,
)
from attacca.kernel.access import Door
from attacca.model.function import MASK, SECRET_KB, SECRETS, Scale, Settings
from attacca.model.invocation import Call
from attacca.model.log import LogLine
from attacca.model.messages import Cordon, Evict, Prewarm

LOG = logging.getLogger("attacca.control")
UPLOAD_MB = 256
NDJSON = "application/x-ndjson"
JSON_KB = 1024  # of every body that is no archive

AnyRequest = Request[Any, Any, Any]


class ByTheLetter(Request[Any, Any, Any]):
    """Takes JSON for what it is: no text for a number, no number for a truth, and no depth that nobody asked for."""

    async def json(self) -> Any:
        """
        Raises:
            BadRequest: names the field.
        """
        asked = self.route_handler.parsed_fn_signature.parameters["data"]
        path = f"{self.method} {self.url.path}"
        try:
            return msgspec.to_builtins(msgspec.json.decode(await self.body(), type=asked.annotation))
        except (msgspec.DecodeError, UnicodeError) as error:
            raise BadRequest(f"{path}: {error}", "/api/schema says what is expected") from None
        except RecursionError:
            raise BadRequest(f"{path}: it is nested too deeply", "/api/schema says what is expected") from None


@get("/api/functions", responses=refusals(), sync_to_thread=False)
def list_functions(context: TheContext) -> list[FunctionRow]:
    return [row(function.now) for function in context.control.functions()]


@get("/api/functions/{name:str}", responses=refusals(404))
async def describe_function(name: FromPath[str], context: TheContext) -> FunctionDetail:
    shown, lies_on = detail(context.control.function(name)), context.control.core.stocks.where
    statistics = overall(await context.observe.workers(name), name)
    return msgspec.structs.replace(shown, statistics=statistics, lies_on=lies_on(context.control.function(name).now))


@post(
    "/api/functions", status_code=200, media_type=NDJSON, operation_class=DeployOperation, responses=refusals(413),
    request_max_body_size=UPLOAD_MB << 20,
)  # fmt: skip
async def deploy_function(request: AnyRequest, context: TheContext) -> Stream:
    """Answers with one JSON object per line; the last has `done` or `error`."""
    upload = await context.control.reception.take(request.stream(), request.headers.get("content-type", ""))
    try:
        settings = read_settings(upload.fields["settings"])
        building = upload.fields.get("allow_source_builds", "false")
        if building not in ("true", "false"):
            raise BadRequest("allow_source_builds must be true or false", "leave it out for false")
        progress = context.control.deploy(settings, upload, allow_source_builds=building == "true")
    except BaseException:
        upload.close()
        raise
    return Stream(progress_lines(progress), media_type=NDJSON)


@delete("/api/functions/{name:str}", responses=refusals(404, 409))
async def delete_function(name: FromPath[str], context: TheContext) -> None:
    await context.control.delete(name)


@post("/api/functions/{name:str}/rollback", status_code=200, responses=refusals(404, 409, 413, 422))
async def rollback_function(name: FromPath[str], data: JSONBody[RollbackRequest], context: TheContext) -> RevisionNow:
    before = context.control.function(name).current
    now = await context.control.rollback(name, data.to)
    return RevisionNow(function=name, revision=now.number, handler=now.handler, replaced=before)


@post("/api/functions/{name:str}/scale", status_code=200, responses=refusals(404, 409, 413, 422))
async def scale_function(name: FromPath[str], data: JSONBody[Scale], context: TheContext) -> ScaleNow:
    return scale_now(await context.control.scale(name, data))


@post("/api/functions/{name:str}/prewarm", status_code=202, responses=refusals(404, 413, 422))
async def prewarm_function(name: FromPath[str], data: JSONBody[PrewarmRequest], context: TheContext) -> dict[str, int]:
    await context.control.order(Prewarm(name, data.count))
    return {"count": data.count}


@post("/api/functions/{name:str}/evict", status_code=202, responses=refusals(404, 413))
async def evict_function(name: FromPath[str], data: JSONBody[EvictRequest], context: TheContext) -> dict[str, bool]:
    await context.control.order(Evict(name, data.templates))
    return {"templates": data.templates}


@get("/api/functions/{name:str}/logs", media_type=NDJSON, responses=refusals(404), sync_to_thread=False)
def read_logs(
    name: FromPath[str],
    context: TheContext,
    since: SecondsBack = None,
    follow: Annotated[bool, QueryParameter(description="go on with what is written from now on")] = False,  # noqa: FBT002
) -> Stream:
    context.control.function(name)
    return Stream(log_lines(context.observe.logs(name, since, follow)), media_type=NDJSON)


@get("/api/calls", responses=refusals())
async def list_calls(
    context: TheContext,
    function: FromQuery[str | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=10_000)] = 100,
) -> list[Call]:
    return list(await context.observe.calls(function, limit))


@get("/api/workers", responses=refusals())
async def list_workers(context: TheContext, function: FromQuery[str | None] = None) -> list[WorkerRow]:
    return [worker_row(view, function) for view in await context.observe.workers(function)]


@get("/api/cluster", responses=refusals())
async def show_cluster(context: TheContext) -> ClusterRow:
    control = context.control
    return cluster_row(control.core, control.url, await context.observe.workers(""))


@post("/api/workers/{name:str}/cordon", status_code=202, responses=refusals(404, 413))
async def cordon_worker(name: FromPath[str], data: JSONBody[CordonRequest], context: TheContext) -> dict[str, bool]:
    await context.control.order(Cordon(name, data.on))
    return {"on": data.on}


@get("/api/explain/{subject:str}", responses=refusals(404))
async def explain(context: TheContext, subject: FromPath[str]) -> Explanation:
    """What has happened lately to an invocation or a sandbox, and why, as far as it is remembered."""
    moments = tuple(await context.observe.story(subject))
    call = next((one for one in await context.observe.calls(None, 1, subject) if one.id == subject), None)
    if not moments and call is None:
        raise NotFound(
            f"nothing is remembered of {subject!r}",
            "attacca calls has the names of invocations, attacca top those of sandboxes; the story is kept for a while",
        )
    return Explanation(subject=subject, moments=moments, call=call)


@get("/api/info", responses=refusals(), sync_to_thread=False)
def show_info(context: TheContext) -> dict[str, Any]:
    return context.observe.info()


@get("/api/tokens", responses=refusals())
async def list_tokens(context: TheContext) -> list[TokenRow]:
    rows = await context.control.tokens.all()
    return [TokenRow(id=token.id, name=token.name, created_at=token.created_at) for token in rows]


@post("/api/tokens", status_code=201, responses=refusals(409, 413))
async def create_token(data: JSONBody[TokenRequest], context: TheContext) -> NewToken:
    token, secret = await context.control.tokens.create(data.name)
    return NewToken(id=token.id, name=token.name, created_at=token.created_at, token=secret)


@delete("/api/tokens/{token_id:str}", responses=refusals(404, 409))
async def delete_token(token_id: FromPath[str], context: TheContext) -> None:
    await context.control.tokens.delete(token_id)


@get("/api/secrets", responses=refusals(), sync_to_thread=False)
def list_secrets(context: TheContext) -> list[SecretRow]:
    return [secret_row(context, secret) for secret in context.control.secrets.all()]


@put(
    "/api/secrets/{name:str}", responses=refusals(413), operation_class=SecretOperation,
    request_max_body_size=SECRET_KB << 10,
)  # fmt: skip
async def set_secret(name: FromPath[str], request: AnyRequest, context: TheContext) -> SecretRow:
    """The body is the value, whatever it is. Idle sandboxes and templates that have the value before it go."""
    return secret_row(context, await context.control.set_secret(name, await request.body()))


@delete("/api/secrets/{name:str}", responses=refusals(404, 409))
async def delete_secret(
    name: FromPath[str],
    context: TheContext,
    force: Annotated[bool, QueryParameter(description="also if a function asks for it")] = False,  # noqa: FBT002
) -> None:
    await context.control.delete_secret(name, force=force)


HANDLERS = [
    list_functions, describe_function, deploy_function, delete_function, rollback_function, scale_function,
    prewarm_function, evict_function, read_logs, list_calls, explain, list_workers, show_cluster, cordon_worker,
    show_info, list_tokens, create_token, delete_token, list_secrets, set_secret, delete_secret,
    *async_routes.HANDLERS, *code_routes.HANDLERS, *history_routes.HANDLERS, *run_routes.HANDLERS,
    *scaling_routes.HANDLERS, *worker_routes.HANDLERS,
]  # fmt: skip


def build(control: Control, observe: Observe, access: Door, more: Sequence[Any] = (), **given: Any) -> Litestar:
    def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        refusal = refuse_scope(connection.scope, access, control)  # type: ignore[arg-type]
        if refusal is not None:
            raise refusal

    context = ApiContext(control, observe)
    return Litestar(
        [*HANDLERS, *more],
        guards=[guard],
        dependencies={
            name: Provide(giving(value), sync_to_thread=False) for name, value in {"context": context, **given}.items()
        },
        exception_handlers={AttaccaError: render_ours, HTTPException: render_litestars, Exception: render_bug},
        openapi_config=OpenAPIConfig(
            title="attacca",
            version=attacca.__version__,
            path=PATH,
            render_plugins=[Document()],
            openapi_router=Router(PATH, route_handlers=[], before_request=expect_page, include_in_schema=False),
        ),
        request_class=ByTheLetter,
        request_max_body_size=JSON_KB << 10,
        logging_config=None,
        debug=False,
    )


def read_settings(text: str) -> Settings:
    """
    Raises:
        BadRequest: names the setting that is wrong.
    """
    hint = "see the settings in /api/schema, or attacca deploy --help"
    try:
        settings = msgspec.json.decode(text, type=Settings)
    except (msgspec.DecodeError, UnicodeError) as error:
        if "`$.secrets" in str(error):  # whoever took it for the place of a value would have it told
            raise BadRequest(f"settings: secrets is not {SECRETS}", "attacca secret set NAME") from None
        raise BadRequest(f"settings: {error}", hint) from None
    except RecursionError:
        raise BadRequest("settings: it is nested too deeply", hint) from None
    hidden = [name for name, value in settings.env.items() if value == MASK]
    if hidden:
        raise BadRequest(
            f"settings: env.{hidden[0]} is {MASK!r}, which stands for a value that is not shown",
            "send the value itself",
        )
    return settings


def secret_row(context: ApiContext, secret: Secret) -> SecretRow:
    return SecretRow(
        name=secret.name, set_at=secret.set_at, functions=tuple(context.control.core.users_of(secret.name))
    )


async def progress_lines(progress: AsyncIterator[Progress]) -> AsyncIterator[bytes]:
    try:
        async for word in progress:
            yield line(progress_line(word))
    except Exception as error:  # noqa: BLE001 - the status line is sent already: this is how the client hears of it
        yield line(ErrorLine(body(told(error))))
    finally:
        await close(progress)


async def log_lines(lines: AsyncIterator[LogLine]) -> AsyncIterator[bytes]:
    try:
        async for one in lines:
            yield line(one)
    finally:
        await close(lines)


async def close(source: AsyncIterator[Any]) -> None:
    """The reader went away: whoever produces must not wait for the garbage collector to hear of it."""
    aclose = getattr(source, "aclose", None)
    if aclose is not None:
        await aclose()


def line(word: msgspec.Struct) -> bytes:
    return msgspec.json.encode(word) + b"\n"


def body(error: AttaccaError) -> ErrorBody:
    return ErrorBody(code=error.code, message=error.message, hint=error.hint)


def told(error: Exception) -> AttaccaError:
    """What a client hears of a failure; of a bug only that there was one."""
    if isinstance(error, AttaccaError):
        return error
    LOG.error("bug in the admin API", exc_info=error)
    return Internal("the server failed on this request; nothing is known to be wrong with it", "see the server's log")


def render(error: AttaccaError) -> Response[ErrorLine]:
    headers = {"www-authenticate": "Bearer"} if isinstance(error, Unauthorized) else {}
    if isinstance(error, TooManyDeployments):
        headers["retry-after"] = str(error.retry_after_s)
    return Response(ErrorLine(body(error)), status_code=error.status, headers=headers, media_type="application/json")


def render_ours(_: AnyRequest, error: AttaccaError) -> Response[ErrorLine]:
    return render(error)


def render_bug(_: AnyRequest, error: Exception) -> Response[ErrorLine]:
    return render(told(error))


def render_litestars(request: AnyRequest, error: HTTPException) -> Response[ErrorLine]:
    path = f"{request.method} {request.url.path}"
    match error.status_code:
        case 404:
            return render(NotFound(f"there is no {path}", "/api/schema lists what there is"))
        case 405:
            return render(MethodNotAllowed(f"{path} is not possible", "/api/schema lists what is"))
        case 413:
            if path not in ("POST /api/functions", "POST /api/code"):
                most = SECRET_KB if path.startswith("PUT /api/secrets/") else JSON_KB
                return render(PayloadTooLarge(f"{path}: the body is over {most} KB", "/api/schema says what fits"))
            return render(
                PayloadTooLarge(f"the body is over {UPLOAD_MB} MB", "list what is not needed in .attaccaignore")
            )
        case 500 if "disconnected" in error.detail:  # Litestar has no class for it
            return render(Cancelled(f"the client went away in the middle of {path}"))
        case status if status >= 500:
            return render(told(error))
    return render(BadRequest(f"{path}: {reason(error)}", "/api/schema says what is expected"))


def reason(error: HTTPException) -> str:
    """Litestar's own words, with the fields that it names."""
    extra = error.extra if isinstance(error.extra, list) else []
    fields = [f"{one.get('key', '')}: {one.get('message', '')}" for one in extra if isinstance(one, dict)]
    return "; ".join(fields) or error.detail
