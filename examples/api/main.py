"""A small FastAPI application: a list of things kept in memory, and one route that streams."""

import csv
import io
from collections.abc import AsyncIterator
from itertools import count
from typing import Annotated

from fastapi import FastAPI, HTTPException, Path, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field


class Draft(BaseModel):
    """What a client says about an item."""

    name: Annotated[str, Field(min_length=1, max_length=80)]
    price: Annotated[float, Field(ge=0)]
    tags: list[str] = []


class Item(Draft):
    """A draft that has a number."""

    id: int


Number = Annotated[int, Path(ge=1, description="an item's number")]

app = FastAPI(
    title="Items", description="Lives in the memory of one sandbox: function.toml allows one, shared by many."
)
items: dict[int, Item] = {}
numbers = count(1)


@app.get("/items")
async def find(
    tag: str | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100, skip: Annotated[int, Query(ge=0)] = 0
) -> list[Item]:
    found = [item for item in items.values() if tag is None or tag in item.tags]
    return found[skip : skip + limit]


@app.post("/items", status_code=201)
async def add(draft: Draft, response: Response) -> Item:
    item = Item(id=next(numbers), **draft.model_dump())
    items[item.id] = item
    response.headers["location"] = f"items/{item.id}"
    return item


@app.get("/items/{number}")
async def read(number: Number) -> Item:
    if number not in items:
        raise HTTPException(404, f"there is no item {number}")
    return items[number]


@app.put("/items/{number}")
async def replace(number: Number, draft: Draft) -> Item:
    await read(number)
    items[number] = Item(id=number, **draft.model_dump())
    return items[number]


@app.delete("/items/{number}", status_code=204)
async def remove(number: Number) -> None:
    await read(number)
    del items[number]


@app.get("/export.csv")
async def export() -> StreamingResponse:
    """All items, one line at a time: the client reads the first while the last is being written."""
    return StreamingResponse(lines(), media_type="text/csv")


async def lines() -> AsyncIterator[str]:
    yield "id,name,price,tags\r\n"
    for item in list(items.values()):
        line = io.StringIO()
        csv.writer(line).writerow([item.id, item.name, item.price, " ".join(item.tags)])
        yield line.getvalue()
