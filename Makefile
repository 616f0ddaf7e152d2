# Every target works alone on a fresh machine with Python 3.11+ and make.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 3000
DASHBOARD_PORT ?= 3001
CORES := $(shell getconf _NPROCESSORS_ONLN)
TEST_PROCESSES ?= $(shell echo $$(( ($(CORES) * 3 + 1) / 2 )))
VENV := .venv
BIN := $(VENV)/bin
# A file's tests share what is prepared for them; the longest files come first (telemetry_quality_tests/conftest.py).
PYTEST := $(BIN)/pytest --dist loadfile --no-loadscope-reorder
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The tests start hundreds of processes, and without files of bytecode each would compile the package again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help up demo test test-fast check format lint types rooms deps migrations bench constraints clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: $(VENV)/.up ## Install, put a year of real telemetry in place, backfill 60 days, serve Dagster's UI and the dashboard
	$(BIN)/telemetry-quality demo --host $(HOST) --port $(PORT) --dashboard-port $(DASHBOARD_PORT)

demo: $(VENV)/.up ## The same without serving
	$(BIN)/telemetry-quality demo --no-serve; test $$? -le 1

test: $(VENV)/.dev ## Run the tests, three processes for two cores: many wait for servers they started
	$(PYTEST) -n $(TEST_PROCESSES)

test-fast: $(VENV)/.dev ## The tests without a server, a browser or a run of Dagster, in a minute or so: while you work
	$(PYTEST) -n $(CORES) -m 'not slow'

check: $(VENV)/.dev ## The gate: everything that must be green; one static check after another beside the tests
	$(MAKE) --jobs 2 --keep-going test format lint types rooms deps migrations

format: $(VENV)/.dev
	$(BIN)/ruff format --check .

lint: $(VENV)/.dev
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

rooms: $(VENV)/.dev
	$(BIN)/lint-imports

# What the package imports is declared and used; tests and benchmarks may use whatever is declared.
deps: $(VENV)/.dev
	$(BIN)/deptry telemetry_quality
	$(BIN)/deptry telemetry_quality_tests benchmarks --ignore DEP002,DEP004

migrations: $(VENV)/.dev
	$(BIN)/telemetry-quality migrate --check

bench: $(VENV)/.dev ## Measure everything, beside other tools too; artifacts/bench.md and bench.svg show it
	$(BIN)/python benchmarks/day.py
	$(BIN)/python benchmarks/year.py
	$(BIN)/python benchmarks/inserts.py
	$(BIN)/python benchmarks/postgresql.py
	$(BIN)/python benchmarks/root_cause.py
	$(BIN)/python benchmarks/detection
	$(BIN)/python benchmarks/dashboard.py
	$(BIN)/python benchmarks/spark.py
	$(BIN)/python benchmarks/peers --events 1_000_000 10_000_000
	$(BIN)/python benchmarks/report.py

constraints: $(VENV)/.dev ## Write down the versions now installed
	( echo "# Versions this project was last tested with; 'make constraints' writes them anew."; \
	  $(BIN)/pip list --format=freeze --exclude telemetry-quality --exclude pip --exclude setuptools ) > constraints.txt

clean: ## Remove the environment and everything runs leave behind
	rm -rf $(VENV) .bench .dagster data artifacts telemetry_quality.db telemetry_quality.db-shm telemetry_quality.db-wal

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is required, but $(PYTHON) is $$($(PYTHON) -V 2>&1); pass PYTHON=python3.12."; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ echo "Python's venv module is required, but $(PYTHON) lacks it; run apt-get install python3-venv."; exit 2; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.up: $(BIN)/python pyproject.toml constraints.txt
	@echo 'Installing into $(VENV), about a minute ...'
	@$(BIN)/pip install --quiet --no-compile --use-pep517 --constraint constraints.txt --editable '.[dashboard,demo,dg]'
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true # on all cores, which pip does not
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml constraints.txt
	@echo 'Installing into $(VENV), some minutes ...'
	@$(BIN)/pip install --quiet --no-compile --use-pep517 --constraint constraints.txt --editable '.[dev]'
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true # on all cores, which pip does not
	@touch $@
