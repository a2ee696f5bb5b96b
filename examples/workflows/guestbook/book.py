"""Keeps what guests write, and shows it: GET for the latest entries, POST for one more."""

import json
from typing import Any

TABLE = "CREATE TABLE IF NOT EXISTS entries (number INTEGER PRIMARY KEY, text TEXT NOT NULL)"
ADD = "INSERT INTO entries (text) VALUES (json_extract('{}', '$'))"
LATEST = "SELECT json_group_array(text) AS texts FROM (SELECT text FROM entries ORDER BY number DESC LIMIT 10)"


def call(ctx: Any, source: str, message: Any) -> dict[str, Any]:
    asked = message.json()
    ctx.call("shelf", TABLE)
    if asked["method"] == "Post":
        ctx.call("shelf", ADD.format(json.dumps(asked["body"]).replace("'", "''")))
    return {"entries": json.loads(ctx.call("shelf", LATEST).json()["texts"])}
