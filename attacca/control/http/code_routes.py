"""The admin API on code that belongs to no function: what workflows are made of."""

from typing import Any

from litestar import Request, post

from attacca.control.deploy.reception import CODE
from attacca.control.http.context import TheContext
from attacca.control.http.document import UploadOperation, refusals
from attacca.model.function import PythonDirectory, WasmModule

UPLOAD_MB = 256


@post(
    "/api/code", status_code=201, operation_class=UploadOperation, responses=refusals(413),
    request_max_body_size=UPLOAD_MB << 20,
)  # fmt: skip
async def upload_code(request: Request[Any, Any, Any], context: TheContext) -> PythonDirectory | WasmModule:
    """Keeps the code of an event function for a workflow that is to be started; the answer is what names it there."""
    upload = await context.control.reception.take(request.stream(), request.headers.get("content-type", ""), (CODE,))
    return await context.control.uploads.keep(upload)


HANDLERS = [upload_code]
