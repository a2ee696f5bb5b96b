#!/usr/bin/env bash
# Holds a registry of this checkout to the OCI's conformance suite, which Go builds.
set -euo pipefail
python=${1:?the interpreter of the environment}
version=v0.0.0-20260831232431-97274622c111
tools=$PWD/.cache/conformance-$version
[ -x "$tools/conformance" ] || GOBIN=$tools go install "github.com/opencontainers/distribution-spec/conformance@$version"

room=$(mktemp -d)
"$python" -m attacca.cli.app up --port 0 --json --state-dir "$room/state" >"$room/said" 2>"$room/log" &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null || true; rm -rf "$room"' EXIT
until [ -s "$room/said" ]; do kill -0 $server || { cat "$room/log"; exit 1; }; sleep 0.1; done
at=$("$python" -c 'import json, sys; print(json.load(sys.stdin)["url"].partition("//")[2])' <"$room/said")

export OCI_REGISTRY=$at OCI_TLS=disabled OCI_REPO1=conformance/one OCI_REPO2=conformance/two OCI_RESULTS_DIR=$room
export OCI_API_BLOBS_UPLOAD_CANCEL=true OCI_API_MANIFESTS_TAG_PARAM=true
"$tools/conformance" >"$room/told" 2>&1 || { cat "$room/told"; exit 1; }
sed -n '/^OCI Conformance Result/,$p' "$room/told"
