#!/usr/bin/env bash
# Fetch the published description of Firecracker's API, once: it comes with a module of Go's.  usage: scripts/firecracker.sh
set -euo pipefail
module=github.com/firecracker-microvm/firecracker-go-sdk version=v1.0.1-0.20251224190957-6fb280e993d4
digest=73023721e81ca1cc89284feb64ee171d6fd5fcd0675910bda9738bd53feac777
at=${XDG_CACHE_HOME:-$HOME/.cache}/attacca-firecracker
same() { echo "$digest  $at/swagger.yaml" | sha256sum --check --status 2>/dev/null; }
same && exit 0
command -v go >/dev/null || { echo "needed, and not here: go, which fetches the description of Firecracker's API" >&2; exit 1; }
mkdir -p "$at"
cd "$at"  # outside of any module
go mod download "$module@$version"
install -m 644 "$(go env GOMODCACHE)/$module@$version/client/swagger.yaml" swagger.yaml
same || { echo "$at/swagger.yaml is not the description that was expected" >&2; exit 1; }
