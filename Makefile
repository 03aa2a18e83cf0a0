# Overround. `make` lists what can be done; `make run` sets everything up and starts it.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
# Inside the environment, so that it goes when the environment goes; .venv may be a link.
STAMP := $(VENV)/.overround-setup
ASSETS := deploy/pages/static/vendor/ably.min.js
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := actors pipelines deploy tests
# Only the default folder is ever removed; one chosen by OVERROUND_DATA_DIR is its owner's.
DATA_DIR := .overround
# Processes find the modules compiled; else each of those that tests start compiles them anew.
unexport PYTHONDONTWRITEBYTECODE
# Where tests that need a broker, Ray or a browser are left out.
FAST := not kafka and not ray and not browser and not slow
# More for pytest: make test ARGS='-k ladder -x'
ARGS ?=

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: setup ## Start the whole system on this machine
	exec $(BIN)/overround run

.PHONY: test
test: setup lint types ## Check everything: lint, types, all tests
	$(BIN)/python -m pytest $(ARGS)

.PHONY: test-fast
test-fast: setup ## Run the tests that need no broker, Ray or browser
	$(BIN)/python -m pytest -m "$(FAST)" $(ARGS)

.PHONY: lint
lint: setup ## Check style and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: types
types: setup ## Check types
	$(BIN)/mypy

.PHONY: bench
bench: setup ## Measure the whole way of a bet on this machine
	$(BIN)/python -m tests.bench.pipeline $(ARGS)

.PHONY: bench-core
bench-core: setup ## Measure the engine alone, without Kafka
	$(BIN)/python -m tests.bench.core $(ARGS)
	$(BIN)/python -m tests.bench.exchange
	$(BIN)/python -m tests.bench.settle

# Which seeded runs of the simulation: make sim SEEDS=1-1000
SEEDS ?= 1-1000

.PHONY: sim
sim: setup ## Run the whole engine with seeded faults on simulated time
	SEEDS=$(SEEDS) $(BIN)/python -m pytest tests/sim -q $(ARGS)

# Random sequences against the oracles: make differential SEQUENCES=1000000 KINDS="books exchange"
SEQUENCES ?= 1000000
FIRST ?= 0
KINDS ?= books exchange market-makers place-pools exotic-pools lines each-way multiples

.PHONY: differential
differential: setup ## Compare the engine with slow oracles over many random sequences
	$(BIN)/python -m tests.differential.run --sequences $(SEQUENCES) --first $(FIRST) --kinds $(KINDS)

.PHONY: bench-edge
bench-edge: setup ## Measure the edge: fan-out to many connections, deltas
	$(BIN)/python -m tests.bench.edge_fanout $(ARGS)
	$(BIN)/python -m tests.bench.edge_delta

.PHONY: bench-restore
bench-restore: setup ## Measure restores, and how long a killed shard is away
	$(BIN)/python -m tests.bench.restore $(ARGS)

.PHONY: cluster
cluster: setup ## Kill, move and drain over several Ray nodes; the audit must hold after each
	CLUSTER=all $(BIN)/python -m pytest tests/cluster -q -s $(ARGS)

# The load in bets/s, and how many kills come in a row: make chaos CHAOS_RATE=2000 KILLS=20
CHAOS_RATE ?= 500
KILLS ?= 100

.PHONY: chaos
chaos: setup ## Kill and freeze every part of a running system; the audit must hold after each
	CHAOS=all CHAOS_RATE=$(CHAOS_RATE) KILLS=$(KILLS) $(BIN)/python -m pytest tests/chaos -q -s $(ARGS)

# How long, and how much: make soak SOAK_MINUTES=5; make soak OVERLOAD=3 OVERLOAD_MINUTES=2
SOAK_MINUTES ?= 30
SOAK_RATE ?= 300
OVERLOAD ?= 0
OVERLOAD_MINUTES ?= 2
# Processors that the shards have together under overload; 0: as many as there are
OVERLOAD_CPUS ?= 0.06
SOAK_SVG ?=

.PHONY: soak
soak: setup ## Run the whole system for long; memory, descriptors and threads must not grow
	SOAK_MINUTES=$(SOAK_MINUTES) SOAK_RATE=$(SOAK_RATE) SOAK_SVG=$(SOAK_SVG) \
	  OVERLOAD=$(OVERLOAD) OVERLOAD_MINUTES=$(OVERLOAD_MINUTES) OVERLOAD_CPUS=$(OVERLOAD_CPUS) \
	  $(BIN)/python -m pytest tests/soak -q -s $(ARGS)

.PHONY: setup
setup: $(STAMP) pages ## Create .venv and install what the lock file names

$(STAMP): requirements/lock.txt pyproject.toml | $(BIN)/python
	$(PIP) install --require-hashes -r requirements/lock.txt
	$(PIP) install --no-deps --no-build-isolation --quiet -e .
	touch $@

$(BIN)/python:
	@for python in python3.13 python3.12 python3.11 python3; do \
	  if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' \
	    2>/dev/null; then \
	    echo "creating $(VENV) with $$("$$python" --version)"; \
	    exec "$$python" -m venv $(VENV); \
	  fi; \
	done; \
	echo "Overround needs Python 3.11 or newer with the venv module: install it" \
	  "(Debian, Ubuntu: apt-get install python3 python3-venv), then run make again" >&2; \
	exit 1

.PHONY: pages
pages: $(ASSETS) ## Fetch the third-party scripts of the pages

$(ASSETS): deploy/pages/package-lock.json deploy/pages/fetch_assets.py | $(STAMP)
	$(BIN)/python deploy/pages/fetch_assets.py
	touch $@

LOCKED := --quiet --strip-extras --generate-hashes --allow-unsafe --no-header --no-annotate \
  --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options

.PHONY: lock
lock: | $(BIN)/python ## Write requirements/*.txt and the pages' lock file anew
	$(BIN)/pip-compile $(LOCKED) --all-extras --output-file requirements/lock.txt pyproject.toml
	$(BIN)/pip-compile $(LOCKED) --constraint requirements/lock.txt \
	  --output-file requirements/runtime.txt pyproject.toml
	cd deploy/pages && npm install --package-lock-only --omit-lockfile-registry-resolved \
	  --ignore-scripts --no-audit --no-fund --loglevel=error

.PHONY: clean
clean: ## Remove the local stack's data, and what checks leave behind
	@if [ -e "$(DATA_DIR)/stack.json" ] && [ -x $(BIN)/python ] && ! $(BIN)/python -c \
	  'import sys; from pathlib import Path; from deploy.local.lockfile import StackFile; \
	  sys.exit(StackFile.read(Path(sys.argv[1])) is not None)' "$(DATA_DIR)"; then \
	  echo "a stack runs in $(DATA_DIR): stop it first" >&2; exit 1; fi
	rm -rf -- "$(DATA_DIR)" build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: distclean
distclean: clean ## Also remove .venv and the fetched scripts
	rm -rf -- $(VENV) deploy/pages/static/vendor overround.egg-info
