"""What a database of time series tells a gateway of its workers. It is apart from `workers`, so that those compile."""

import msgspec


class Charted(msgspec.Struct, frozen=True):
    """What a database of time series has of workers that told it something in the last minute: of each the load average
    for each of its processors. Empty: it is gone, or nobody tells it anything."""

    loads: dict[str, float]
