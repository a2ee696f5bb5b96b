#!/usr/bin/env bash
# Build a kube-apiserver and Kubernetes' garbage collector, once, and hold pods to them, with Debian's etcd and a small
# kubelet of the tests' own, which has runc start containers.
# usage: scripts/kubernetes.sh PYTHON    It takes Go and half an hour the first time, for root.
set -euo pipefail
python=$1
version=1.35.4
at=${XDG_CACHE_HOME:-$HOME/.cache}/attacca-kube-apiserver-$version
scripts/debian.sh etcd-server runc iproute2 openssl

built() { # NAME: of main.go, which is read
    [ ! -x "$at/$1" ] || return 0
    export GOFLAGS=-mod=mod CGO_ENABLED=0
    local build source
    build=$(mktemp --directory)
    source=$(go mod download -json k8s.io/kubernetes@v$version | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
    # Its own parts have versions of their own, which `go install` does not find.
    {
        printf 'module attacca/built\n\n%s\n\nrequire k8s.io/kubernetes v%s\n\nreplace (\n' "$(grep -m1 '^go ' "$source")" $version
        sed -n "s#^[[:space:]]*\(k8s.io/[^ ]*\) => ./staging/.*#\t\1 => \1 v0.${version#1.}#p" "$source"
        echo ')'
    } >"$build/go.mod"
    cat >"$build/main.go"
    mkdir -p "$at"
    (
        trap 'rm -rf "$build"' EXIT
        cd "$build"
        go mod tidy
        GOMAXPROCS=${GOMAXPROCS:-1} nice -n 19 go build -p 1 -trimpath \
            -ldflags "-s -w -X k8s.io/component-base/version.gitVersion=v$version" -o "$at/$1.new" .
    )
    mv "$at/$1.new" "$at/$1"
}

built kube-apiserver <<'GO'
package main

import (
	"os"

	"k8s.io/component-base/cli"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
)

func main() { os.Exit(cli.Run(app.NewAPIServerCommand())) }
GO
built garbage-collector <tests/live/kubernetes/collector.go
PATH=$at:$PATH exec "$python" -m pytest -rfEs tests/live/kubernetes/conformance.py tests/live/kubernetes/survival.py \
    tests/live/kubernetes/account.py "${@:2}"
