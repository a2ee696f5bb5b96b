"""An ASGI application that was wrapped in Mangum to run on Lambda."""

from mangum import Mangum
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route


async def item(request):
    return JSONResponse({"item": request.path_params["id"], "q": request.query_params.get("q")})


async def echo(request):
    return JSONResponse(await request.json(), status_code=201)


app = Starlette(routes=[Route("/items/{id:int}", item), Route("/echo", echo, methods=["POST"])])
handler = Mangum(app, lifespan="off")
