# The commands of developers and CI; see CONTRIBUTING.md.
PYTHON ?= python3
BIN := .venv/bin
# One virtual environment, two stamps: what serving needs, and what development needs besides.
RUN := .venv/.run
DEVELOP := .venv/.develop
PACKAGES := web/node_modules/.installed
WEB := lamia_gql/_web/index.html.br
WEB_SOURCES := $(shell find web schema \( -name node_modules -o -name generated -o -path web/tests \) -prune -o -type f -print)
# Most tests wait more than they compute.
TEST_PROCESSES ?= 4
# What `make simulate` runs.
SEEDS ?= 1000
ENGINE ?= sqlite
# It sees the modules that coverage.py itself imports.
NOT_MEASURABLE := --deselect tests/job/test_package.py::test_import_brings_no_heavy_modules

PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# Installs one lock file, then this package without its dependencies: pip resolves nothing.
install = $(PIP) install --require-hashes --no-deps -r requirements/$(1).lock && \
  $(PIP) install --no-deps --no-build-isolation -e .
# Writes one lock file of requirements/, universal: for every platform, from Python 3.11 on.
compile = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-annotate --no-header -o requirements/$(1).lock

.DEFAULT_GOAL := help
.PHONY: help setup web run screenshots test test-slow test-clients simulate coverage bench lint format schema \
  schema-check lock dist job clean

help:  ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(DEVELOP)  ## Create the development environment in .venv from requirements/develop.lock.

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "lamia-gql needs Python 3.11 or newer: set PYTHON=/path/to/python" >&2; exit 1; }
	$(PYTHON) -m venv .venv

$(RUN): requirements/run.lock pyproject.toml | $(BIN)/pip
	$(call install,run)
	@touch $@

# The development lock contains the run lock, with the same versions.
$(DEVELOP): requirements/develop.lock pyproject.toml | $(BIN)/pip
	$(call install,develop)
	@touch $(RUN) $@

$(PACKAGES): web/package-lock.json | $(DEVELOP)
	web/build install

web: $(DEVELOP) $(PACKAGES) $(WEB)  ## Build the pages into lamia_gql/_web if missing or out of date.

$(WEB): $(WEB_SOURCES) | $(BIN)/pip $(if $(BUILD),,$(PACKAGES))
	web/build $(BUILD)
	@touch $@

run:  ## Serve on http://127.0.0.1:8088; LAMIA_* variables change the settings.
	@+$(MAKE) --no-print-directory -j2 BUILD=once $(RUN) $(WEB)
	$(BIN)/lamia-gql serve

test: web  ## Run the tests; takes less than four minutes on two cores.
	web/build test
	$(BIN)/pytest -n $(TEST_PROCESSES) -m "not slow"

test-slow: web  ## Run the slow tests: load, crashes, long fuzzing.
	$(BIN)/pytest -n 2 -m slow

test-clients: setup  ## Run the tests with clients that others make; part of test-slow.
	$(BIN)/pytest -n 2 tests/clients

simulate: setup  ## Run SEEDS histories of the simulator on ENGINE, in two processes.
	printf '1\n2\n' | xargs -P 2 -I FIRST $(BIN)/python -m tests.simulation \
	  --engine $(ENGINE) --seeds $$(($(SEEDS) / 2)) --step 2 --first FIRST

coverage: web  ## Run the tests and fail if coverage is below the floor in pyproject.toml.
	rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest -n $(TEST_PROCESSES) -m "not slow" $(NOT_MEASURABLE)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

bench: setup  ## Run the benchmarks.
	@for script in bench/*.py; do \
	  echo "== $$script"; PYTHONPATH=. $(BIN)/python "$$script" || exit 1; \
	done

lint: setup  ## Check style and types of the Python code and of the pages.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	web/build lint

format: setup  ## Format the code and apply safe fixes.
	web/build format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: setup  ## Write schema/schema.graphql from the code.
	$(BIN)/lamia-gql schema > schema/schema.graphql

schema-check: setup  ## Fail if schema/schema.graphql differs from the code.
	$(BIN)/lamia-gql schema | diff -u schema/schema.graphql -

lock: setup  ## Pin the newest releases of all dependencies in requirements/*.lock.
	$(PIP) install uv
	$(call compile,develop) --upgrade --extra postgres --group dev pyproject.toml
	$(call compile,run) -c requirements/develop.lock --extra postgres --group build pyproject.toml
	$(call compile,node) -c requirements/develop.lock --group node
	$(call compile,clients) --upgrade --group clients

screenshots: web  ## Take the screenshots for docs/ with Debian's chromium.
	$(BIN)/python -m docs.screenshots

dist: web  ## Build the wheel and the source archive in dist/.
	$(BIN)/python -m hatchling build

job:  ## Build dist/lamia-job.pyz: the job side in one file, for Python 3.9 or newer.
	rm -rf build/job && mkdir -p build/job/lamia_gql/client dist
	cp lamia_gql/__init__.py build/job/lamia_gql/
	cp lamia_gql/client/*.py build/job/lamia_gql/client/
	$(PYTHON) -m zipapp build/job --compress --python "/usr/bin/env python3" \
	  --main lamia_gql.client.__main__:main --output dist/lamia-job.pyz
	rm -rf build/job

clean:  ## Remove everything that make created, except the data.
	rm -rf .venv lamia_gql/_web web/node_modules web/src/generated dist build .mypy_cache \
	  .ruff_cache .hypothesis .coverage .coverage.* tests/clients/.venv tests/clients/build \
	  tests/*/node_modules
