"""What is the writer of time series worth beside curl? 100,000 points into the same InfluxDB, by each in turn.

    .venv/bin/python bench/series.py      # Debian's influxdb has to be there

Prints the best of three of both, and the ratio, which is to be 0.5 at least. The lines are the same; ours are made of
points meanwhile.
"""

import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from attacca.io.posting import Posted
from attacca.io.shipping import Shipper, ShippingLimits
from attacca.io.timeseries.influx import Influx1
from attacca.io.timeseries.lines import body
from attacca.io.timeseries.types import Point
from tests.live.test_timeseries import Database

COUNT, BATCH, ROUNDS = 100_000, 5_000, 3


def points(round_: int) -> list[Point]:
    fields = ("cpu_loadavg", "cpu_util", "host_mem_pct")
    return [
        Point(
            measurement="worker_load", tags=(("name", f"w{number % 20}"), ("node_type", "worker")),
            fields=tuple((field, number / 7) for field in fields), at=1.7e9 + round_ * 1e6 + number,
        )
        for number in range(COUNT)
    ]  # fmt: skip


def by_writer(series: Influx1, made: list[Point]) -> float:
    refused: list[Posted] = []

    def send(batch: list[Point]) -> Posted:
        posted = series.write(batch)
        if posted.status != 204:
            refused.append(posted)
        return posted

    shipper: Shipper[Point] = Shipper("it", send, ShippingLimits(held=COUNT, batch=BATCH))
    began = time.perf_counter()
    shipper.open()
    for point in made:
        shipper.put(point)
    shipper.close(grace_s=120)
    spent = time.perf_counter() - began
    assert (shipper.sent, refused) == (COUNT, []), shipper
    return spent


def by_curl(url: str, made: list[Point], at: Path) -> float:
    files = []
    for number in range(0, COUNT, BATCH):
        files.append(at / f"{number}.lines")
        files[-1].write_bytes(body(made[number : number + BATCH]))
    began = time.perf_counter()
    for file in files:
        command = ["curl", "-sf", "-XPOST", f"{url}/write?db=bench&precision=ns", "--data-binary", f"@{file}"]
        subprocess.run(command, check=True)
    return time.perf_counter() - began


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        at = Path(directory)
        database = Database(at)
        try:
            series = Influx1(database.url, "bench", timeout_s=60)
            series.prepare()
            ours = min(by_writer(series, points(round_)) for round_ in range(ROUNDS))
            theirs = min(by_curl(database.url, points(round_ + ROUNDS), at) for round_ in range(ROUNDS))
            url = f"{database.url}/query?db=bench&q=SELECT%20COUNT(cpu_util)%20FROM%20worker_load"
            with urllib.request.urlopen(url) as answer:
                kept = json.load(answer)["results"][0]["series"][0]["values"][0][1]
            assert kept == 2 * ROUNDS * COUNT, kept
        finally:
            database.stop()
    print(f"{COUNT:,} points: ours {ours:.2f} s, curl {theirs:.2f} s, ratio {theirs / ours:.2f} (to be 0.5)")


if __name__ == "__main__":
    main()
