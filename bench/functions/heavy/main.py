"""Imports what a typical web function imports, and gives back what it is sent."""

import fastapi
import numpy
import pydantic

app = fastapi.FastAPI()


class Named(pydantic.BaseModel):
    name: str


@app.post("/")
async def hello(named: Named) -> dict[str, object]:
    return {"hello": named.name, "sum": float(numpy.arange(10).sum())}
