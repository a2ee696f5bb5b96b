"""InfluxDB: version 1, which is asked in InfluxQL, and version 2, which is asked in Flux; both are told lines."""

import csv
import io
from base64 import b64encode
from math import isfinite
from urllib.parse import urlencode

import msgspec

from attacca.io.posting import Posted, Silent, checked, post
from attacca.io.timeseries.lines import body
from attacca.io.timeseries.types import Point

ANSWER_MOST = 16 << 20
PLAIN = {"content-type": "text/plain; charset=utf-8", "user-agent": "attacca"}
Cell = str | float | int | bool | None


class _Series(msgspec.Struct):
    columns: list[str]
    values: list[list[Cell]]
    tags: dict[str, str] = {}


class _Result(msgspec.Struct):
    series: list[_Series] = []
    error: str = ""


class _Answer(msgspec.Struct):
    results: list[_Result] = []
    error: str = ""


class Influx1:
    """`user` and `password` are empty where it asks nobody. The database is made by `prepare`."""

    def __init__(self, url: str, database: str, user: str = "", password: str = "", timeout_s: float = 10.0) -> None:
        self._url, self._database, self._timeout_s = checked(url), database, timeout_s
        basic = b64encode(f"{user}:{password}".encode()).decode()
        self._fields = PLAIN | ({"authorization": f"Basic {basic}"} if user else {})

    def __repr__(self) -> str:
        return f"<Influx1 {self._database} at {self._url}>"

    def prepare(self) -> None:
        """
        Raises:
            Silent: it cannot be asked.
        """
        self._ask(f"CREATE DATABASE {_quoted(self._database)}")

    def write(self, points: list[Point]) -> Posted:
        query = urlencode({"db": self._database, "precision": "ns"})
        return post(f"{self._url}/write?{query}", body(points), self._fields, self._timeout_s)

    def last(self, measurement: str, tag: str, since_s: float, now: float) -> dict[str, dict[str, float]]:
        begin, end = int((now - since_s) * 1e9), int(now * 1e9)
        of = f"SELECT LAST(*) FROM {_quoted(measurement)} WHERE time >= {begin} AND time <= {end}"  # noqa: S608 - quoted
        found: dict[str, dict[str, float]] = {}
        for series in self._ask(f"{of} GROUP BY {_quoted(tag)}"):
            value = series.tags.get(tag, "")
            for row in series.values if value else []:
                fields = found.setdefault(value, {})
                for name, cell in zip(series.columns, row, strict=False):
                    number = _number(str(cell)) if isinstance(cell, float | int) else None
                    if name.startswith("last_") and number is not None:
                        fields[name.removeprefix("last_")] = number
        return found

    def _ask(self, query: str) -> list[_Series]:
        asked = urlencode({"db": self._database, "q": query, "epoch": "ns"}).encode()
        form = self._fields | {"content-type": "application/x-www-form-urlencoded"}
        posted = post(f"{self._url}/query", asked, form, self._timeout_s, ANSWER_MOST)
        try:
            answer = msgspec.json.decode(posted.body, type=_Answer)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise Silent(self._url, f"status {posted.status}, with what is no answer to InfluxQL") from None
        error = answer.error or next((one.error for one in answer.results if one.error), "")
        if error or posted.status != 200:
            raise Silent(self._url, f"status {posted.status}: {error[:200]}")
        return [series for result in answer.results for series in result.series]


class Influx2:
    """`token` is one that may write and read the bucket; of a version 1 that speaks this too, `user:password`."""

    def __init__(self, url: str, org: str, bucket: str, token: str = "", timeout_s: float = 10.0) -> None:
        self._url, self._org, self._bucket, self._timeout_s = checked(url), org, bucket, timeout_s
        self._fields = PLAIN | ({"authorization": f"Token {token}"} if token else {})

    def __repr__(self) -> str:
        return f"<Influx2 {self._bucket} at {self._url}>"

    def write(self, points: list[Point]) -> Posted:
        query = urlencode({"org": self._org, "bucket": self._bucket, "precision": "ns"})
        return post(f"{self._url}/api/v2/write?{query}", body(points), self._fields, self._timeout_s)

    def last(self, measurement: str, tag: str, since_s: float, now: float) -> dict[str, dict[str, float]]:
        begin, end = int((now - since_s) * 1e9), int(now * 1e9) + 1
        flux = (
            f"from(bucket: {_quoted(self._bucket)})"
            f" |> range(start: time(v: {begin}), stop: time(v: {end}))"
            f" |> filter(fn: (r) => r._measurement == {_quoted(measurement)})"
            f' |> group(columns: [{_quoted(tag)}, "_field"]) |> sort(columns: ["_time"]) |> last()'
        )
        query = urlencode({"org": self._org})
        fields = self._fields | {"content-type": "application/vnd.flux", "accept": "application/csv"}
        posted = post(f"{self._url}/api/v2/query?{query}", flux.encode(), fields, self._timeout_s, ANSWER_MOST)
        if posted.status != 200:
            raise Silent(self._url, f"status {posted.status}: {posted.body[:200].decode('utf-8', 'replace')}")
        try:
            return last_of(posted.body.decode("utf-8", "replace"), tag)
        except csv.Error:
            raise Silent(self._url, "what it answered is no table of Flux") from None


def last_of(text: str, tag: str) -> dict[str, dict[str, float]]:
    """Of Flux's annotated CSV: tables with a head each, apart by an empty line.

    Raises:
        csv.Error: it is nothing of the kind.
    """
    found: dict[str, dict[str, float]] = {}
    columns: list[str] = []
    for row in csv.reader(io.StringIO(text)):
        if not any(row) or row[0].startswith("#"):
            columns = []
        elif "_value" in row and "_field" in row:
            columns = row
        elif columns:
            told = dict(zip(columns, row, strict=False))
            value, field = told.get(tag, ""), told.get("_field", "")
            number = _number(told.get("_value", ""))
            if value and field and number is not None:
                found.setdefault(value, {})[field] = number
    return found


def _number(text: str) -> float | None:
    """One that can be compared with others."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None


def _quoted(text: str) -> str:
    """A name in InfluxQL, and a text in Flux."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'
