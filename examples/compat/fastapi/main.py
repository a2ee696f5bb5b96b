"""A FastAPI application."""

from datetime import date

from fastapi import FastAPI, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

app = FastAPI()


class Booking(BaseModel):
    room: int
    day: date


@app.post("/bookings", status_code=201)
def book(booking: Booking) -> Booking:
    return booking


@app.get("/whoami")
async def whoami(request: Request):
    return {"client": request.client.host, "scheme": request.url.scheme, "path": request.url.path}


@app.get("/stream")
def stream():
    return StreamingResponse((f"line {n}\n" for n in range(3)), media_type="text/plain")
