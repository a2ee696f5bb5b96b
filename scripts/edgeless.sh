#!/usr/bin/env bash
# Holds a domain to EDGELESS's own nodes, which Cargo builds from their source; both are kept in .cache. Where a caller
# has the source, EDGELESS=DIRECTORY of its checkout: it is built there, unless it was.
set -euo pipefail
python=${1:?the interpreter of the environment}
commit=ddf164e09d24c335927065a6572374bf7db4a065  # v1.2.0, and what came on the day after
source=${EDGELESS:-$PWD/.cache/edgeless-${commit:0:12}}
[ -z "${EDGELESS:-}" ] || [ -f "$source/Cargo.toml" ] || { echo "EDGELESS=$source is no checkout of it" >&2; exit 1; }
source=$(realpath -m "$source")  # which is not there yet, where it is ours
if [ ! -x "$source/target/debug/edgeless_node_d" ]; then
    command -v cargo >/dev/null || { echo "Rust is needed: https://rustup.rs" >&2; exit 1; }
    scripts/debian.sh git protobuf-compiler libprotobuf-dev libtss2-dev libssl-dev pkg-config
    if [ -z "${EDGELESS:-}" ]; then
        [ -d "$source/.git" ] || git clone --quiet https://github.com/edgeless-project/edgeless.git "$source"
        git -C "$source" checkout --quiet "$commit"
    fi
    (cd "$source" && CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=0 OPENSSL_NO_VENDOR=1 \
        CARGO_TARGET_DIR=target nice -n 15 cargo build --quiet --locked -j "${JOBS:-1}" --bin edgeless_node_d)
fi
EDGELESS=$source exec "$python" -m pytest -rfEs tests/live/edgeless/modules.py tests/live/edgeless/nodes.py --durations=5
