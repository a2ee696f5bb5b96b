#!/usr/bin/env bash
# Build a kube-apiserver, once, and hold pods to it, with Debian's etcd and a small kubelet of the tests' own, which has
# runc start containers.  usage: scripts/kubernetes.sh PYTHON    It takes Go and half an hour the first time, for root.
set -euo pipefail
python=$1
version=1.35.4
at=${XDG_CACHE_HOME:-$HOME/.cache}/attacca-kube-apiserver-$version
scripts/debian.sh etcd-server runc iproute2 openssl
if [ ! -x "$at/kube-apiserver" ]; then
    export GOFLAGS=-mod=mod CGO_ENABLED=0
    build=$(mktemp --directory)
    trap 'rm -rf "$build"' EXIT
    source=$(go mod download -json k8s.io/kubernetes@v$version | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
    # Its own parts have versions of their own, which `go install` does not find.
    {
        printf 'module attacca/apiserver\n\n%s\n\nrequire k8s.io/kubernetes v%s\n\nreplace (\n' "$(grep -m1 '^go ' "$source")" $version
        sed -n "s#^[[:space:]]*\(k8s.io/[^ ]*\) => ./staging/.*#\t\1 => \1 v0.${version#1.}#p" "$source"
        echo ')'
    } >"$build/go.mod"
    cat >"$build/main.go" <<'GO'
package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() { os.Exit(cli.Run(app.NewAPIServerCommand())) }
GO
    mkdir -p "$at"
    (
        cd "$build"
        go mod tidy
        GOMAXPROCS=${GOMAXPROCS:-1} nice -n 19 go build -p 1 -trimpath \
            -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=v$version" -o "$at/kube-apiserver.new" .
    )
    mv "$at/kube-apiserver.new" "$at/kube-apiserver"
fi
PATH=$at:$PATH exec "$python" -m pytest -rfEs tests/live/kubernetes/conformance.py tests/live/kubernetes/survival.py "${@:2}"
