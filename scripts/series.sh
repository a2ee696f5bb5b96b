#!/usr/bin/env bash
# Build InfluxDB 2, once, and hold the door to it to what every database of time series does, and to curl.
# usage: scripts/series.sh PYTHON    It takes Go, a Rust toolchain and a quarter of an hour the first time.
set -euo pipefail
python=$1 here=$PWD/scripts/influxd2 version=2.7.12
at=${XDG_CACHE_HOME:-$HOME/.cache}/attacca-influxd-$version
if [ ! -x "$at/influxd2" ]; then
    module=github.com/influxdata/influxdb/v2
    mkdir -p "$at/build"
    GOBIN=$at go install github.com/influxdata/pkg-config@v0.2.7  # builds Flux's library, which is Rust
    go mod download "$module@v$version"
    source=$(go env GOMODCACHE)/$module@v$version
    # A module that replaces others cannot be installed by its name: ours has its requirements, and its server in it.
    { echo "module influxd2"; sed -e '/^module/d' -e '/^toolchain/d' "$source/go.mod"; echo "require $module v$version"; } > "$at/build/go.mod"
    cp "$source/go.sum" "$here/main.go" "$at/build/"
    chmod u+w "$at/build/go.sum"
    (cd "$at/build" && PKG_CONFIG=$at/pkg-config RUSTUP_TOOLCHAIN=stable RUSTC_WRAPPER=$here/rustc.sh \
        GOFLAGS='-mod=mod -buildvcs=false' nice -n 19 go build -o "$at/influxd2" .)
fi
PATH=$at:$PATH "$python" -m pytest -rfEs tests/live/influx2.py
PATH=$at:$PATH exec "$python" bench/run.py --only series --no-record
