"""What is kept of every invocation and of the platform, live and simulated alike. Times in seconds since the run began.

A run is a directory: `run.json` (every setting, versions, seed, hash), `records/part-*.parquet` with one row per
invocation, `samples/part-*.parquet` with what the platform looked like. The names of the columns are the field's own.
"""

from typing import Final

VERSION: Final = 1
INFO, RECORDS, SAMPLES_FOLDER = "run.json", "records", "samples"

# One row per invocation. Missing times are null. (name, polars type, meaning)
COLUMNS: Final = (
    ("run", "Categorical", "the run's name"),
    ("seed", "Int64", "its seed"),
    ("phase", "Categorical", "warmup, run or drain"),
    ("idx", "Int64", "number of the invocation in the schedule"),
    ("app", "Categorical", "the application the function belongs to in the trace"),
    ("func", "Categorical", "the function"),
    ("trigger", "Categorical", "http, timer, event, queue, storage, orchestration or others"),
    ("due", "Float64", "when the schedule wanted it sent"),
    ("sent", "Float64", "when it was sent"),
    ("late", "Float64", "sent - due"),
    ("enq", "Float64", "when it entered a queue, by the clock of the server"),
    (
        "deq",
        "Float64",
        "when it left it; null too of one that was sent again",
    ),
    ("cold_begin", "Float64", "when a sandbox was begun for it"),
    ("ready", "Float64", "when that sandbox was ready"),
    ("exec_begin", "Float64", "when its handler began; live, of one that does not tell: when it could at the earliest"),
    ("exec_end", "Float64", "exec_begin and the time its handler took; null of a live streamed answer"),
    ("recv", "Float64", "when its answer was there"),
    ("status", "Int32", "HTTP status of the answer; 0: none came"),
    ("err", "Categorical", "error code, or empty"),
    ("start", "Categorical", "cold, template, prewarmed, warm, or empty when it never reached a sandbox"),
    ("worker", "Categorical", "which worker ran it"),
    ("sandbox", "String", "which sandbox ran it"),
    ("attempt", "Int32", "1 for the first"),
    ("queue_len", "Int32", "invocations that waited on its worker when it arrived there"),
    ("mem", "Int32", "MB that its sandbox reserves"),
    ("cpu", "Float64", "CPU seconds it used, where known"),
    ("req_dur", "Float64", "seconds its handler was asked to take; null when it takes what it takes"),
    ("bytes_in", "Int64", "of the request's body"),
    ("bytes_out", "Int64", "of the answer's body"),
    ("cost", "Float64", "MB-seconds of memory held for its run"),
)

# One row per worker and moment.
SAMPLES: Final = (
    ("run", "Categorical", "the run's name"),
    ("t", "Float64", "the moment"),
    ("worker", "Categorical", "the worker"),
    ("sandboxes", "Int32", "made and not gone"),
    ("busy", "Int32", "of them, running something"),
    ("queued", "Int32", "invocations that wait"),
    ("running", "Int32", "invocations that run"),
    ("memory_mb", "Int32", "reserved"),
    ("cpu", "Float64", "share of the cores in use, 0 to 1"),
)
