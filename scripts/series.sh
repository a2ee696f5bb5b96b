#!/usr/bin/env bash
# Build an InfluxDB that speaks version 2 and Flux, once, and hold the doors to databases of time series to it.
# usage: scripts/series.sh PYTHON    It takes Go, a Rust toolchain and ten minutes the first time.
set -euo pipefail
python=$1
at=${XDG_CACHE_HOME:-$HOME/.cache}/attacca-influxd-1.13.2
if [ ! -x "$at/influxd" ]; then
    mkdir -p "$at"
    GOBIN=$at go install github.com/influxdata/pkg-config@v0.2.7
    GOBIN=$at PKG_CONFIG=$at/pkg-config RUSTUP_TOOLCHAIN=stable nice -n 19 \
        go install github.com/influxdata/influxdb/cmd/influxd@v1.13.2
fi
PATH=$at:$PATH exec "$python" -m pytest -rfEs tests/live/test_timeseries.py
