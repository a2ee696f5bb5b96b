"""Python that is deployed as a component of WebAssembly: what is made at its import is there in each request, and what
one draws is its own."""

import json
import random
import secrets
import statistics
import time
import uuid
from typing import Any

IMPORTED_AT = time.time()


def handler(event: dict[str, Any], context: Any) -> Any:
    if "draw" in event:
        return {"random": random.random(), "uuid": uuid.uuid4().hex, "token": secrets.token_hex(), "at": time.time()}
    if "repeat" in event:
        return event["repeat"] * event["times"]
    if not event.get("numbers"):
        raise ValueError("there are no numbers")
    print(f"{context.function_name} was made {time.time() - IMPORTED_AT:.0f} s ago")
    return {"mean": statistics.mean(event["numbers"]), "said": json.dumps(event, sort_keys=True)}
