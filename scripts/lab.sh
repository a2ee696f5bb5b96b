#!/usr/bin/env bash
# Make the reports and figures of examples/lab anew: all simulated, hours of processor time shared by all cores.
# usage: scripts/lab.sh [keepalive] [queueing] [azure-500] [schools] [worker-vs-cluster]     TRACE=DIRECTORY  RUNS=DIRECTORY  SEEDS=N
# What RUNS holds already, from this code and this trace, is not run again.
set -euo pipefail
cd "$(dirname "$0")/.."
attacca=.venv/bin/attacca
trace=${TRACE:-../shared/data/azure-2019-500}
runs=${RUNS:-.run/lab}
lab=examples/lab
reports=$lab/reports
[ -d "$trace" ] || { echo "there is no trace in $trace: TRACE=DIRECTORY make lab" >&2; exit 1; }
mkdir -p "$runs" "$reports" docs/figures

# study NAME SEEDS FIGURE --set ...: a comparison, its report, and the figure that the documents show.
study() {
    local name=$1 seeds=$2 figure=$3
    shift 3
    $attacca sim compare "$lab/$name.toml" --seeds "${SEEDS:-$seeds}" --out "$runs/$name" \
        --report "$reports/$name.html" --figures "$runs/$name-figures" --set "workload.trace.path=$trace" "$@"
    cp "$runs/$name-figures/$figure.svg" "docs/figures/$name.svg"
}

keepalive() {
    study keepalive 5 tradeoff --set worker.keepalive=lru,ttl:idle_s=60,greedy_dual,greedy_dual:frequency=ever,landlord,hybrid_histogram,oracle \
        --set worker.memory_mb=6144,8192,12288,16384,24576
}

queueing() {
    study queueing 10 slowdown --set worker.queueing=fcfs,minheap,minheap_ed,minheap_iat,cold_pri,mqfq
}

azure-500() {
    $attacca sim run $lab/azure-500.toml --set "workload.trace.path=$trace" --out "$runs/azure-500" --replace
    $attacca report "$runs/azure-500" --beside dirigent --out $reports/azure-500.html
    $attacca report "$runs/azure-500" --beside dirigent --json >$reports/azure-500.json
}

# The two schools; workers to whom a function's invocations are sent where it has sandboxes already; another scaler.
schools() {
    local scenario=$lab/schools.toml
    local -a how=(--seeds "${SEEDS:-5}" --out "$runs/schools" --set "workload.trace.path=$trace")
    $attacca sim compare "$scenario" "${how[@]}" --set system.mode=worker,cluster
    $attacca sim compare "$scenario" "${how[@]}" --set system.mode=worker --set system.balancing=pull,ch_bl
    $attacca sim sweep "$scenario" "${how[@]}" --set system.mode=cluster --set system.scaling=queue_delay
    $attacca report "$runs/schools" --out $reports/schools.html
}

# With faults, and with a look after each event at what must hold.
worker-vs-cluster() {
    local out=$runs/worker-vs-cluster
    $attacca sim compare $lab/worker-vs-cluster.toml --seeds "${SEEDS:-50}" --out "$out" --check \
        --set "workload.trace.path=$trace" --set system.mode=worker,cluster
    $attacca report "$out" --beside dirigent --out $reports/worker-vs-cluster.html
    $attacca report "$out" --beside dirigent --json >$reports/worker-vs-cluster.json
}

[ $# -gt 0 ] || set -- azure-500 queueing keepalive schools worker-vs-cluster
for one in "$@"; do "$one"; done
.venv/bin/python -m scripts.docs
