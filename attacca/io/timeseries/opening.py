"""Which database of time series is written to, and read from."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec

from attacca.errors import BadConfig
from attacca.io.posting import checked
from attacca.io.timeseries.influx import Influx1, Influx2
from attacca.io.timeseries.remote_write import RemoteWrite
from attacca.io.timeseries.types import TimeSeries

Positive = Annotated[float, msgspec.Meta(gt=0)]


class SeriesConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A database of time series that workers write how busy they are into."""

    url: str = ""  # http://HOST:8086, or for Prometheus the whole address of a receiver; empty: none
    kind: Literal["influx1", "influx2", "prometheus"] = "influx1"  # "prometheus": remote write, which cannot be read
    database: str = "attacca"  # of version 1, which is made where it is not; of version 2 the bucket
    org: str = "attacca"  # of version 2
    user: str = ""  # of version 1
    secret_file: str = ""  # of the password of `user`, or of a token; empty: nobody is asked for one
    every_s: Positive = 1.0  # between two points of a worker
    timeout_s: Positive = 10.0  # of one request
    held: Annotated[int, msgspec.Meta(ge=100, le=1_000_000)] = 20_000  # points that wait; more are dropped

    def __post_init__(self) -> None:
        if self.url:
            checked(self.url)


def open_series(config: SeriesConfig) -> TimeSeries:
    """
    Raises:
        BadConfig: its secret cannot be read.
    """
    secret = _secret(config.secret_file)
    match config.kind:
        case "influx1":
            return Influx1(config.url, config.database, config.user, secret, config.timeout_s)
        case "influx2":
            return Influx2(config.url, config.org, config.database, secret, config.timeout_s)
        case "prometheus":
            return RemoteWrite(config.url, secret, config.timeout_s)


def _secret(file: str) -> str:
    if not file:
        return ""
    try:
        return Path(file).expanduser().read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise BadConfig(f"series.secret_file cannot be read: {error}", "a file with a password or a token") from None
