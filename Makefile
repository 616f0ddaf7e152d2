# Every target works alone on a fresh machine with Python 3.11+ and make.
PYTHON ?= python3
MINUTES ?= 10
HOST ?= 127.0.0.1
PORT ?= 3000
PYTHONS ?= $(PYTHON)
DASHBOARD_PORT ?= 3001
CORES := $(shell getconf _NPROCESSORS_ONLN)
TEST_PROCESSES ?= $(shell echo $$(( ($(CORES) * 3 + 1) / 2 )))
VENV := .venv
BIN := $(VENV)/bin
SUPPLY := .supply
OLDEST := .oldest
UV = $(OLDEST)/bin/uv pip install --quiet --python $(OLDEST)/bin/python
IMAGE := dashboard postgresql production
LICENCES := Apache;BSD;ISC;MIT;MPL;Mozilla;PSF;Python Software Foundation;Unlicense;Zope;CC0;0BSD;LGPL;Lesser General Public
# Two fifths of all code that is installed, which is imported rarely or never.
UNCOMPILED := site-packages/(datastore|hive_metastore|moto|mpmath|mypyc?|networkx|pip|sympy)/|/tests/
# The tests of a file share fixtures; the slowest files come first (telemetry_quality_tests/conftest.py).
PYTEST := $(BIN)/pytest --dist loadfile --no-loadscope-reorder
# Folders and files whose tests need no server, but three fifths of the time of all that need none; `make test` runs them.
NOT_QUICK := dashboard/access orchestration presets sources test_cli.py test_heartbeat.py test_outside_package.py \
	$(addprefix commands/,test_now.py test_tune.py test_watching.py) \
	$(addprefix core/,running/test_looking.py test_accepting.py test_accepting_segments.py test_tuning.py) \
	dashboard/pages/test_incident.py $(addprefix storage/,test_append_only.py test_verification.py)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The environment belongs to this folder alone, so that pip need not warn whoever installs as root.
export PIP_ROOT_USER_ACTION := ignore
# The tests start hundreds of processes, each of which would compile the package again without bytecode files.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help up demo dev test test-fast test-contract test-oldest soak check format lint types rooms deps migrations bench architecture reference site verification pictures constraints requirements dist smoke sbom licences audit clean

help: ## Show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: $(VENV)/.up ## Install, unpack a year of real telemetry, backfill 60 days, serve Dagster's UI and the dashboard
	@$(BIN)/telemetry-quality demo --host $(HOST) --port $(PORT) --dashboard-port $(DASHBOARD_PORT)

demo: $(VENV)/.up ## Do the same without serving
	@$(BIN)/telemetry-quality demo --no-serve; test $$? -le 1

dev: $(VENV)/.dev ## Install everything to work on the project, with hooks that run the quick checks on every commit
	@$(BIN)/pre-commit install --hook-type pre-commit --hook-type commit-msg >/dev/null
	@echo 'Ready. Next: make test-fast. Tests of pages and servers also want Debian's chromium, postgresql, mariadb-server and openjdk-17-jre-headless.'

test: $(VENV)/.dev ## Run the tests, in three processes per two cores because many wait for servers
	$(PYTEST) -n $(TEST_PROCESSES)

test-fast: $(VENV)/.dev ## Run the quick tests: no server, no browser, no Dagster run, none of the long files
	$(PYTEST) -n $(CORES) -m 'not slow' $(NOT_QUICK:%=--ignore telemetry_quality_tests/%)

test-contract: $(VENV)/.dev ## Run the whole contract of connectors, also where each test takes long, and the longest faults
	WHOLE_CONTRACT=1 $(PYTEST) -n $(CORES) $(addprefix telemetry_quality_tests/sources/test_,contract.py copying.py spark.py times.py) \
		$(addprefix telemetry_quality_tests/faults/test_,dead_processes.py kills.py running_days.py soak.py) \
		telemetry_quality_tests/presets telemetry_quality_tests/browser telemetry_quality_tests/test_examples.py

test-oldest: $(OLDEST)/.installed ## Run the tests of core, settings, sources and storage with the oldest versions of all declared ranges
	$(OLDEST)/bin/pytest --dist loadfile --no-loadscope-reorder -n $(CORES) -m 'not slow' $(addprefix telemetry_quality_tests/,core sources storage test_settings.py)

soak: $(VENV)/.dev ## Run everything for MINUTES on days of seconds, break something now and then, and see what grows
	$(BIN)/python -m telemetry_quality_tests.faults.soak --minutes $(MINUTES)

check: $(VENV)/.dev ## Run the gate, everything that must pass: static checks beside the tests
	$(MAKE) --jobs 2 --keep-going test format lint types rooms deps migrations

format: $(VENV)/.dev
	$(BIN)/ruff format --check .

lint: $(VENV)/.dev
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

rooms: $(VENV)/.dev
	$(BIN)/lint-imports

# The package declares exactly what it imports; tests and benchmarks may import any declared package.
deps: $(VENV)/.dev
	$(BIN)/deptry telemetry_quality
	$(BIN)/deptry telemetry_quality_tests benchmarks --ignore DEP002,DEP004

migrations: $(VENV)/.dev
	$(BIN)/telemetry-quality migrate --check

bench: $(VENV)/.dev ## Run all benchmarks, also of other tools; writes artifacts/bench.md and bench.svg
	$(BIN)/python benchmarks/day.py
	$(BIN)/python benchmarks/year.py
	$(BIN)/python benchmarks/judging.py
	$(BIN)/python benchmarks/inserts.py
	$(BIN)/python benchmarks/look.py
	$(BIN)/python benchmarks/postgresql.py
	$(BIN)/python benchmarks/sqlite.py
	$(BIN)/python benchmarks/root_cause.py
	$(BIN)/python benchmarks/detection
	$(BIN)/python benchmarks/segments.py
	$(BIN)/python benchmarks/running_day.py
	$(BIN)/python benchmarks/dashboard.py
	$(BIN)/python benchmarks/clickhouse.py
	$(BIN)/python benchmarks/spark.py
	$(BIN)/python benchmarks/peers --events 1_000_000 10_000_000
	$(BIN)/python benchmarks/report.py

architecture: $(VENV)/.dev ## Redraw the picture in docs/explanation/architecture.md from the import contracts
	$(BIN)/python -m telemetry_quality_tests.architecture

reference: $(VENV)/.dev ## Write the pages of the reference that follow from the code
	$(BIN)/python -m telemetry_quality_tests.reference

site: $(VENV)/.dev ## Build the site of the documentation into site/, to be opened from there; fails on a broken link
	$(BIN)/zensical build --strict --clean

verification: $(VENV)/.dev ## Measure every criterion of the mission (or ONLY some) and write docs/verification-report.md
	$(BIN)/python -m telemetry_quality_tests.verification $(ONLY)

pictures: $(VENV)/.dev ## Retake the README's pictures from real data; some minutes, and needs chromium
	$(BIN)/python -m telemetry_quality_tests.pictures

requirements: $(SUPPLY)/.installed ## Write deploy/requirements.txt, the image's packages with the hashes of their files
	( echo '# The packages of the image with the hashes of their files; "make requirements" writes it from constraints.txt.'; \
	  $(SUPPLY)/bin/pip-compile --quiet --generate-hashes --no-strip-extras --no-header --no-annotate --no-emit-index-url \
	  --no-emit-trusted-host --no-emit-find-links --constraint constraints.txt $(IMAGE:%=--extra %) --output-file - pyproject.toml \
	) > requirements.new && mv requirements.new deploy/requirements.txt

dist: $(SUPPLY)/.installed ## Build the sdist and the wheel into dist/, the same bytes wherever they are built, and check them
	rm -rf dist
	$(SUPPLY)/bin/python -m build --no-isolation --outdir dist .
	$(SUPPLY)/bin/twine check --strict dist/*

smoke: dist ## Install the wheel into new environments of PYTHONS, such as "python3.11 python3.13", and use it there
	$(PYTHON) telemetry_quality_tests/smoke.py dist/*.whl $(PYTHONS)

sbom: $(SUPPLY)/.image ## Write artifacts/sbom.cdx.json, a CycloneDX list of the image's packages
	@mkdir -p artifacts
	$(SUPPLY)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file artifacts/sbom.cdx.json \
		$(SUPPLY)/image/bin/python

licences: $(SUPPLY)/.image ## Check that every package of the image has a licence that permits its use
	$(SUPPLY)/bin/pip-licenses --python $(SUPPLY)/image/bin/python --partial-match --allow-only '$(LICENCES)'

audit: $(SUPPLY)/.image ## Look for known vulnerabilities of the image's packages; needs the vulnerability database of PyPI
	$(SUPPLY)/bin/pip-audit --strict --path "$$($(SUPPLY)/image/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

constraints: $(VENV)/.dev ## Pin the versions that are installed now
	( echo "# Versions that this project was last tested with; 'make constraints' updates them."; \
	  $(BIN)/pip list --format=freeze --exclude telemetry-quality --exclude pip --exclude setuptools ) > constraints.txt

clean: ## Remove the environment and all generated files
	rm -rf $(VENV) $(SUPPLY) $(OLDEST) .bench .cache dist site .dagster data artifacts telemetry_quality.db telemetry_quality.db-shm telemetry_quality.db-wal

# The tools that build packages and look at dependencies have an environment of their own.
$(SUPPLY)/.installed: Makefile
	$(PYTHON) -m venv $(SUPPLY)
	@$(SUPPLY)/bin/pip install --quiet build==1.6.1 cyclonedx-bom==7.5.0 hatchling==1.33.0 pip-audit==2.10.1 \
		pip-licenses==5.5.5 pip-tools==7.6.2 twine==7.0.0
	@touch $@

$(SUPPLY)/.image: $(SUPPLY)/.installed deploy/requirements.txt
	$(PYTHON) -m venv $(SUPPLY)/image
	@$(SUPPLY)/image/bin/pip install --quiet --require-hashes --requirement deploy/requirements.txt
	@touch $@

# The oldest versions of what the package declares; what only tests need is as new as goes with them.
$(OLDEST)/.installed: Makefile pyproject.toml
	$(PYTHON) -m venv --clear $(OLDEST)
	@$(OLDEST)/bin/pip install --quiet uv==0.13.9
	@$(UV) --resolution lowest-direct --editable '.[clickhouse,dashboard,delta,iceberg,mysql,openlineage,otlp,postgresql,s3]'
	@$(OLDEST)/bin/uv pip freeze --quiet --python $(OLDEST)/bin/python --exclude-editable > $(OLDEST)/declared.txt
	@$(UV) --constraint $(OLDEST)/declared.txt hypothesis 'moto[server]' pyroaring pytest pytest-xdist snowflake-sqlalchemy trino zstandard
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is required, but $(PYTHON) is $$($(PYTHON) -V 2>&1); pass PYTHON=python3.12."; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ echo "Python's venv module is required, but $(PYTHON) lacks it; run apt-get install python3-venv."; exit 2; }
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.up: $(BIN)/python pyproject.toml constraints.txt
	@echo 'Installing into $(VENV), which takes about a minute ...'
	@$(BIN)/pip install -qq --no-compile --use-pep517 --constraint constraints.txt --editable '.[dashboard,demo,dg]'
	@$(BIN)/python -m compileall -qq -j 0 -x '$(UNCOMPILED)' $(VENV)/lib || true # on all cores, unlike pip
	@touch $@

$(VENV)/.dev: $(BIN)/python pyproject.toml constraints.txt
	@echo 'Installing into $(VENV), which takes some minutes ...'
	@$(BIN)/pip install --quiet --no-compile --use-pep517 --constraint constraints.txt --editable '.[dev]'
	@$(BIN)/python -m compileall -qq -j 0 -x '$(UNCOMPILED)' $(VENV)/lib || true # on all cores, unlike pip
	@touch $@
