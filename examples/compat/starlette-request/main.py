"""A plain coroutine that takes a request of Starlette, as the functions framework's asynchronous side has it."""

from starlette.responses import JSONResponse, PlainTextResponse


async def hello(request):
    if request.method == "POST":
        return JSONResponse(await request.json(), status_code=201)
    return PlainTextResponse(f"hello {request.query_params.get('name', 'you')}")
