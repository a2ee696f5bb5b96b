"""A FastAPI application as people write them: one route, a model for its body, one for its answer."""

import fastapi
import pydantic

app = fastapi.FastAPI()


class Named(pydantic.BaseModel):
    name: str


class Greeting(pydantic.BaseModel):
    hello: str


@app.post("/")
async def greet(named: Named) -> Greeting:
    return Greeting(hello=named.name)
