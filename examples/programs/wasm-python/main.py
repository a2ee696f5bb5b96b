"""Python that is deployed as a component of WebAssembly: what is made at its import is there in each request."""

import json
import statistics
import time
from typing import Any

IMPORTED_AT = time.time()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    if not event.get("numbers"):
        raise ValueError("there are no numbers")
    print(f"{context.function_name} was made {time.time() - IMPORTED_AT:.0f} s ago")
    return {"mean": statistics.mean(event["numbers"]), "said": json.dumps(event, sort_keys=True)}
