"""Reads the log of a web server, a line an event, and keeps how often each status came, and what each host was sent."""

import json
import re
from typing import Any

LINE = re.compile(r'(\S+) \S+ \S+ \[[^\]]+\] "[^"]*" (\d{3}) (\d+|-)')
HOSTS_MOST = 1000


class Watch:
    def init(self, ctx: Any, payload: Any, state: Any) -> None:
        self.seen = json.loads(state or '{"lines": 0, "strange": 0, "statuses": {}, "bytes": {}}')

    def cast(self, ctx: Any, source: str, message: Any) -> None:
        found = LINE.match(message.text)
        self.seen["lines" if found else "strange"] += 1
        if found:
            host, status, size = found.groups()
            statuses, sizes = self.seen["statuses"], self.seen["bytes"]
            statuses[status] = statuses.get(status, 0) + 1
            if host in sizes or len(sizes) < HOSTS_MOST:
                sizes[host] = sizes.get(host, 0) + (int(size) if size != "-" else 0)
        ctx.sync(json.dumps(self.seen))
        ctx.cast("summary", self.seen)
