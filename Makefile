# The commands of developers and CI; see CONTRIBUTING.md.
PYTHON ?= python3
BIN := .venv/bin
# One virtual environment, two stamps: what serving needs, and what development needs besides.
RUN := .venv/.run
DEVELOP := .venv/.develop
PACKAGES := web/node_modules/.installed
PEER := bench/peer/node_modules/.installed
WEB := lamia_gql/_web/index.html.br
WEB_SOURCES := $(shell find web schema \( -name node_modules -o -name generated -o -path web/tests \) -prune -o -type f -print)
# Most tests wait more than they compute.
TEST_PROCESSES ?= 4
# The tests of a module stay together, as far as possible, because they share servers and browsers.
QUICK := -n $(TEST_PROCESSES) --dist worksteal -m "not slow and not batch and not cluster"
# What `make simulate` runs.
SEEDS ?= 1000
ENGINE ?= sqlite
# The root file system with a personal pool of HTCondor.
CONDOR_ROOT ?= $(CURDIR)/.condor
# It sees the modules that coverage.py itself imports.
NOT_MEASURABLE := --deselect tests/job/test_package.py::test_import_brings_no_heavy_modules
# Without compiled queries. The files that are left out compare both, on both engines; the tests are
# about a limit that is lower without.
RESOLVED := -k "not postgresql" --ignore tests/api/test_plans.py --ignore tests/api/test_submissions.py \
  $(addprefix --deselect tests/api/test_limits.py::,test_settings \
  test_costly_queries_that_plans_do_not_answer test_the_price_of_adding_up_processes) tests/api

# Runs the command $(2), and tells in a line what it has done, $(1), and how long it took.
step = @begin=$$(date +%s) && $(2) && printf '[%3d s] %s\n' $$(($$(date +%s) - begin)) '$(1)' >&2

PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# Installs one lock file, then this package without its dependencies: pip resolves nothing.
install = $(call step,installed requirements/$(1).lock,$(PIP) install --require-hashes --no-deps \
  -r requirements/$(1).lock && $(PIP) install --no-deps --no-build-isolation -e .)
# Writes one lock file of requirements/, universal: for every platform, from Python 3.11 on.
compile = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-index-url --no-emit-find-links --no-annotate --no-header -o requirements/$(1).lock

.DEFAULT_GOAL := help
.PHONY: help setup web run token screenshots test test-slow test-batch test-cluster test-clients simulate coverage bench lint format schema \
  schema-check lock dist licences job clean

help:  ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(DEVELOP)  ## Create the development environment in .venv from requirements/develop.lock.

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "lamia-gql needs Python 3.11 or newer: set PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "$(PYTHON) has no venv with pip: on Debian, apt install python3-venv" >&2; exit 1; }
# What an attempt that failed left there is removed.
	$(call step,created .venv,$(PYTHON) -m venv --clear .venv)

$(RUN): requirements/run.lock pyproject.toml | $(BIN)/pip
	$(call install,run)
	@touch $@

# The development lock contains the run lock, with the same versions.
$(DEVELOP): requirements/develop.lock pyproject.toml | $(BIN)/pip
	$(call install,develop)
	@touch $(RUN) $@

$(PACKAGES): web/package-lock.json | $(DEVELOP)
	@web/build install

# The Node.js of the development environment: PostGraphile needs a newer one than many machines have.
$(PEER): bench/peer/package-lock.json | $(DEVELOP)
	cd $(@D)/.. && PATH="$(abspath $(BIN)):$$PATH" npm ci --no-audit --no-fund --loglevel=error
	@touch $@

web: $(DEVELOP) $(PACKAGES) $(WEB)  ## Build the pages into lamia_gql/_web if missing or out of date.

$(WEB): $(WEB_SOURCES) | $(BIN)/pip $(if $(BUILD),,$(PACKAGES))
	@web/build $(BUILD)
	@touch $@

run:  ## Serve on http://127.0.0.1:8088; LAMIA_* variables change the settings.
	@+$(MAKE) --no-print-directory -j2 BUILD=once $(RUN) $(WEB)
	$(BIN)/lamia-gql serve

token: $(RUN)  ## Print a new access token of an administrator: make -s token > ~/.lamia-token
	@$(BIN)/lamia-gql token create --name "$$(id -un)" --role admin

test: web  ## Run the tests; takes less than four minutes on two cores.
	web/build test
	$(BIN)/pytest $(QUICK)

test-slow: web  ## Run load, crashes, long fuzzing; and the quick ones without compiled queries.
	$(BIN)/pytest -n $(TEST_PROCESSES) -m "slow and not timed"
	$(BIN)/pytest -n 2 -m "slow and timed and not alone"
	$(BIN)/pytest -n 0 -m "slow and alone"
	LAMIA_COMPILED_QUERIES=false $(BIN)/pytest $(QUICK) $(RESOLVED)

test-batch: setup  ## Run jobs on real batch systems, as far as the machine has them.
	@tests/batch/make_condor_root $(CONDOR_ROOT) || echo "without HTCondor" >&2
	CONDOR_ROOT=$(CONDOR_ROOT) $(BIN)/pytest -n 2 --dist loadfile -m batch tests/batch

test-cluster: setup  ## Let parts of a cluster of databases and servers fail, as far as the machine has them.
	$(BIN)/pytest -n 0 -m cluster tests/cluster

test-clients: setup  ## Run the tests with clients that others make; part of test-slow.
	$(BIN)/pytest -n 2 tests/clients

simulate: setup  ## Run SEEDS histories of the simulator on ENGINE, in two processes.
	printf '1\n2\n' | xargs -P 2 -I FIRST $(BIN)/python -m tests.simulation \
	  --engine $(ENGINE) --seeds $$(($(SEEDS) / 2)) --step 2 --first FIRST

coverage: web  ## Run the tests and fail if coverage is below the floor in pyproject.toml.
	rm -f .coverage .coverage.*
	$(BIN)/coverage run -m pytest $(QUICK) $(NOT_MEASURABLE)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

# LINES="1 2 5" measures these only.
bench: setup $(PEER)  ## Measure LINES of the benchmark, or all, and write bench/RESULTS.md.
	$(BIN)/python -m bench $(LINES)

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
	$(call compile,develop) --upgrade --all-extras --group dev pyproject.toml
	$(call compile,run) -c requirements/develop.lock --extra postgres --group build pyproject.toml
	$(call compile,extras) -c requirements/develop.lock --all-extras pyproject.toml
	$(call compile,node) -c requirements/develop.lock --group node
	$(call compile,clients) --upgrade --group clients
	$(call compile,workflows) --upgrade --group workflows

screenshots: web  ## Take the screenshots for docs/ in Debian's Chromium.
	$(BIN)/python -m docs.screenshots

dist: web  ## Build the wheel, the source archive and the bill of materials in dist/.
	$(BIN)/python -m hatchling build
	$(BIN)/python -m docs.components bill > dist/lamia-gql.cdx.json

licences: setup  ## Write docs/licences.md from the packages that are installed and locked.
	$(BIN)/python -m docs.components licences > docs/licences.md

job:  ## Build dist/lamia-job.pyz: the job side in one file, for Python 3.9 or newer.
	rm -rf build/job && mkdir -p build/job/lamia_gql/client dist
	cp lamia_gql/__init__.py build/job/lamia_gql/
	cp lamia_gql/client/*.py build/job/lamia_gql/client/
	mv build/job/lamia_gql/client/launcher.py build/job/__main__.py
	$(PYTHON) -m zipapp build/job --compress --python "/usr/bin/env python3" \
	  --output dist/lamia-job.pyz
	rm -rf build/job

clean:  ## Remove everything that make created, except the data.
	rm -rf .venv lamia_gql/_web web/node_modules web/src/generated dist build .mypy_cache \
	  .ruff_cache .hypothesis .coverage .coverage.* tests/clients/.venv tests/clients/build tests/workflows/.venv \
	  tests/*/node_modules bench/peer/node_modules
