# Everything a person types in this checkout. `make help` lists it.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

PYTHON ?=
VENV := .venv$(if $(PYTHON),-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
PORT ?= 8080
LIVE_TIMEOUT_S ?= 1800
SEEDS ?= 1000
FIRST ?= 1
MINUTES ?= 5
LEAVE_OUT ?=
# Those of a file share its servers, and stay together. Live tests wait for much of their time, and long ones compute.
BY_FILE := --dist loadfile --no-loadscope-reorder
WAITING := -n 3 $(BY_FILE)
COMPUTING := -n auto --maxprocesses 4 $(BY_FILE)
HOUSE := tests/house
LONG := tests/laws tests/load tests/sim tests/lab tests/fuzz tests/examples tests/cli/laboratory tests/guest/libraries
SHARES = $(BIN)/python -m scripts.shares -rfEs --ignore tests/live $(HOUSE:%=--ignore %) $(LONG:%=--ignore %) --durations=5
CODE := $(wildcard attacca tests examples bench scripts)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Hooks are for wheels, and want much installed before.
export HATCH_BUILD_NO_HOOKS := true
unexport PYTHONDONTWRITEBYTECODE  # tests are compiled once, and not for every run

.PHONY: help run test check pure laws long live heart fuzz chaos series alerts registry engines crowds microvms kubernetes brokers edgeless ui screenshot languages swarm bench bench-long hockey bench-runtimes lab fmt docs compile clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run ## Start attacca, deploy and invoke the examples, stay up; ONCE=1 ends by itself, PORT=, UP='--isolation none'
	@$(BIN)/python scripts/run.py --port $(PORT) $(if $(ONCE),--once) $(if $(UP),--up '$(UP)')

test: WEIGH := --weigh
test: check pure long live ## All checks and all tests; PYTHON=python3.13: on that one, in an environment of its own
	@echo "All checks and tests passed."

check: $(VENV)/.dev ## Format, lint, types, import contracts, rules of the house
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports
	$(BIN)/pytest $(HOUSE)

pure: $(VENV)/.dev ## The tests that need no process, socket or clock; WEIGH=--weigh: none of them may do too much
	$(SHARES) $(WEIGH) -m 'not long'

long live: export HYPOTHESIS_PROFILE ?= many

long: $(VENV)/.dev ## Pure tests that take a while: laws over a hundred cases each, many runs, traces, figures, the examples
	$(BIN)/pytest -rfEs $(COMPUTING) $(LONG) $(LEAVE_OUT:%=--ignore %) --durations=5
	$(SHARES) -m 'hypothesis or long'

laws: $(VENV)/.dev ## Of the pure tests those that draw their cases, a handful each, and those that try many
	$(SHARES) -m 'hypothesis or long'

live: $(VENV)/.dev ## The tests that start real processes and servers
	timeout --foreground --signal=INT --kill-after=30 $(LIVE_TIMEOUT_S) $(BIN)/pytest -rfEs $(WAITING) tests/live --durations=15

heart: $(VENV)/.dev ## Of the live tests those at the heart; AS=ordinary: root lets an ordinary user run them
	$(if $(filter ordinary,$(AS)),scripts/ordinary.sh )$(BIN)/python -m pytest -rfEs $(WAITING) tests/live -m heart --durations=5

fuzz: $(VENV)/.dev ## Bad input at every door, cut down where it does harm; MINUTES=, DOORS=http,archives, SEED=, REPLAY=file
	@$(BIN)/python -m tests.fuzz --minutes $(MINUTES) --doors '$(DOORS)' $(SEED:%=--seed %) $(REPLAY:%=--replay %)

chaos: $(VENV)/.dev ## Kill, stop and cut off planes and store of a live cluster under load, for root; FAULTS=leader:kill, STORE=etcd, RATE=
	@scripts/debian.sh iproute2 nftables redis-server etcd-server
	@$(BIN)/python -m tests.chaos --faults '$(FAULTS)' $(STORE:%=--store %) $(RATE:%=--rate %)

series: $(VENV)/.dev ## Build InfluxDB 2, once, and hold the door to it to what every database of time series does, and to curl
	@scripts/series.sh $(abspath $(BIN)/python)

alerts: $(VENV)/.dev ## Hold alert rules to promtool, and pages, exemplars and remote write to Debian's Prometheus
	@command -v promtool >/dev/null || scripts/debian.sh prometheus
	promtool check rules deploy/prometheus/alerts.yml
	promtool test rules deploy/prometheus/alerts_test.yml
	$(BIN)/pytest -rfEs tests/live/prometheus.py

registry: $(VENV)/.dev ## Hold the registry of images to the OCI's own suite, which Go builds
	@scripts/registry.sh $(abspath $(BIN)/python)

engines: $(VENV)/.dev ## Hold containers by gVisor, containerd and docker to what every runtime does, and to what must survive, for root
	@scripts/debian.sh crun runc runsc containerd docker.io skopeo nftables
	timeout --foreground --signal=INT --kill-after=30 $(LIVE_TIMEOUT_S) $(BIN)/pytest -rfEs tests/live/engines/gvisor.py tests/live/engines/conformance.py tests/live/engines/ways_out.py tests/live/engines/ushers.py tests/live/engines/survival.py tests/live/engines/enemies.py tests/live/engines/pushes.py tests/live/engines/devices.py --durations=5

crowds: $(VENV)/.dev ## Two hundred containers at once, and servers killed with fifty sandboxes of each kind: nothing is left, for root
	@scripts/debian.sh crun runc runsc containerd docker.io nftables qemu-system-x86 linux-image-cloud-amd64 busybox-static e2fsprogs
	timeout --foreground --signal=INT --kill-after=30 $(LIVE_TIMEOUT_S) $(BIN)/pytest -rfEs tests/live/crowds.py --durations=5

microvms: $(VENV)/.dev ## Hold micro-VMs by QEMU and Firecracker to what every runtime does, to what must survive, and to their network
	@scripts/debian.sh qemu-system-x86 linux-image-cloud-amd64 busybox-static e2fsprogs lz4 nftables
	@scripts/firecracker.sh
	timeout --foreground --signal=INT --kill-after=30 $(LIVE_TIMEOUT_S) $(BIN)/pytest -rfEs tests/live/microvms/conformance.py tests/live/microvms/survival.py tests/live/microvms/pool.py tests/live/microvms/kept.py tests/live/microvms/ways_out.py tests/live/microvms/whole.py --durations=5

kubernetes: $(VENV)/.dev ## Hold pods to a real kube-apiserver and garbage collector, which Go builds once in half an hour, for root
	@scripts/kubernetes.sh $(abspath $(BIN)/python)

brokers: $(VENV)/.dev ## Hold kafka-egress to a real broker of Kafka, whose jars come from Maven Central
	@scripts/brokers.sh $(abspath $(BIN)/python)

ui: $(VENV)/.dev ## Look at the dashboard in Debian's chromium: every page and form, by keyboard, as enemies would; ONLY=pages
	@scripts/debian.sh chromium
	@$(BIN)/python -c 'import playwright' 2>/dev/null || $(BIN)/pip install --quiet 'playwright>=1.50'
	@$(BIN)/python -m tests.ui $(ONLY)

screenshot: $(VENV)/.dev ## A picture of the dashboard of a server on which something goes on: docs/figures/dashboard.png; MINUTES=
	@scripts/debian.sh chromium
	@$(BIN)/python -c 'import playwright' 2>/dev/null || $(BIN)/pip install --quiet 'playwright>=1.50'
	@$(BIN)/python -m tests.ui.screenshot --minutes $(MINUTES)

edgeless: $(VENV)/.dev ## Hold a domain to nodes of EDGELESS, which Cargo builds from source in some minutes; EDGELESS=its checkout
	@scripts/edgeless.sh $(abspath $(BIN)/python)

languages: $(VENV)/.dev ## Build the programs of examples/programs, run each as a function, and say what it costs; ONLY=go
	@$(BIN)/python -c 'import componentize_py' 2>/dev/null || $(BIN)/pip install --quiet 'componentize-py>=0.25'
	@$(BIN)/python -m tests.languages $(ONLY)

swarm: $(VENV)/.dev ## Many small simulations with drawn faults, everything checked after each event; SEEDS=, FIRST=
	$(BIN)/attacca sim swarm --seeds $(SEEDS) --first $(FIRST)

bench: $(VENV)/.dev ## Measure the floors and attacca in the same run, print the ratios, append to bench/history.jsonl
	@command -v wrk >/dev/null || scripts/debian.sh wrk
	@$(BIN)/python -c 'import componentize_py' 2>/dev/null || $(BIN)/pip install --quiet 'componentize-py>=0.25'
	@if command -v cc >/dev/null; then $(MAKE) --no-print-directory compile; fi  # as wheels have it
	$(BIN)/python bench/run.py
	@$(BIN)/python -m scripts.docs

bench-long: $(VENV)/.dev ## The measures that take minutes each: as many idle sandboxes as memory holds, simulations, live against simulated
	@if command -v cc >/dev/null; then $(MAKE) --no-print-directory compile; fi
	$(BIN)/python bench/run.py --long
	@$(BIN)/python -m scripts.docs

hockey: $(VENV)/.dev ## Latency against offered load up to saturation, beside uvicorn and gunicorn: docs/figures/hockey.svg, four minutes
	@if command -v cc >/dev/null; then $(MAKE) --no-print-directory compile; fi
	$(BIN)/python bench/hockey.py

bench-runtimes: $(VENV)/.dev ## Measure what each runtime here costs, with engines from Debian for root: the table of docs/runtimes.md; ONLY=microvm
	@if [ $$(id -u) = 0 ]; then scripts/debian.sh crun runc runsc containerd docker.io etcd-server openssl qemu-system-x86 linux-image-cloud-amd64 busybox-static e2fsprogs; fi
	@$(BIN)/python -c 'import componentize_py' 2>/dev/null || $(BIN)/pip install --quiet 'componentize-py>=0.25'
	$(BIN)/python bench/runtimes.py $(ONLY:%=--only %)
	@$(BIN)/python -m scripts.docs

lab: $(VENV)/.dev ## Simulate the scenarios of examples/lab, write their reports and figures; TRACE=, SEEDS=, ONLY=keepalive
	scripts/lab.sh $(ONLY)

compile: $(VENV)/.dev ## Compile the cores beside their source; they are used until that changes, and not with ATTACCA_CORES=python
	@$(BIN)/python -m scripts.compile

fmt: $(VENV)/.dev ## Format, and repair what the linter can
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

docs: $(VENV)/.dev ## Rewrite the tables of docs/ that follow from the code
	$(BIN)/python -m scripts.docs

clean: ## Remove what this Makefile made: the virtual environment, caches, compiled cores, and the state of `make run`
	rm -rf .venv .venv-* .run .fuzz dist build .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find attacca tests examples bench scripts -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true
	find attacca -name '*.so' -delete
	rm -f attacca/cores.sums

# Stamps: an installation is repeated only when pyproject.toml has changed since.

$(BIN)/python:
	@scripts/venv.sh $(VENV)

$(VENV)/.run: pyproject.toml | $(BIN)/python
	@echo "Installing attacca into $(VENV)"
	@$(BIN)/pip install --quiet --editable .
	@$(BIN)/python -m compileall -q -j 0 attacca  # pip compiles what it copies, and an editable package is not copied
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "Installing attacca and what its tests need into $(VENV)"
	@scripts/install.sh $(VENV) '.[dev]'
	@$(BIN)/python -m compileall -q -j 0 $(CODE)
	@$(BIN)/pytest --collect-only --ignore tests/live $(HOUSE:%=--ignore %) $(LONG:%=--ignore %) >/dev/null || true  # compiles tests its own way
	@touch $@ $(VENV)/.run
