# What a developer and CI run; see CONTRIBUTING.md.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
# Most tests wait more than they compute.
TEST_PROCESSES ?= 4
# What `make simulate` runs.
SEEDS ?= 1000
ENGINE ?= sqlite
WEB := lamia_gql/_web/index.html.br
WEB_SOURCES := $(shell find web schema \( -name node_modules -o -name generated \) -prune -o -type f -print)

.DEFAULT_GOAL := help
.PHONY: help setup web run screenshots test test-slow simulate bench lint format schema schema-check lock dist job clean

help:  ## Show what can be made.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## Make the virtual environment in .venv, from the lock file.

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "lamia-gql needs Python 3.11 or newer; say which by PYTHON=…" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --no-deps --no-build-isolation -e .
	@touch $@

web: $(WEB)  ## Build the pages into lamia_gql/_web, where they are missing or stale.

$(WEB): $(WEB_SOURCES) | $(STAMP)
	web/build
	@touch $@

run: setup web  ## Serve on http://127.0.0.1:8088, or as the LAMIA_* settings say.
	$(BIN)/lamia-gql serve

test: setup web  ## Run the tests; under four minutes on two cores.
	$(BIN)/pytest -n $(TEST_PROCESSES) -m "not slow"

test-slow: setup web  ## Run the tests that take longer: load, crashes, long fuzzing.
	$(BIN)/pytest -n 2 -m slow

simulate: setup  ## Run SEEDS histories of the simulator on ENGINE, in two processes.
	printf '1\n2\n' | xargs -P 2 -I FIRST $(BIN)/python -m tests.simulation \
	  --engine $(ENGINE) --seeds $$(($(SEEDS) / 2)) --step 2 --first FIRST

bench: setup  ## Run the benchmarks.
	@for script in bench/*.py; do \
	  echo "== $$script"; PYTHONPATH=. $(BIN)/python "$$script" || exit 1; \
	done

lint: setup  ## Check the style and the types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	web/build lint

format: setup  ## Put the style right, where that needs no thought.
	web/build format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

schema: setup  ## Write the schema that the code has to schema/schema.graphql.
	$(BIN)/lamia-gql schema > schema/schema.graphql

schema-check: setup  ## Fail where schema/schema.graphql is not what the code has.
	$(BIN)/lamia-gql schema | diff -u schema/schema.graphql -

lock: setup  ## Pin the newest releases of all dependencies in requirements.lock.
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
	  --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
	  --extra postgres --group dev pyproject.toml -o requirements.lock

screenshots: setup web  ## Take the pictures of the pages for docs/, with Debian's chromium.
	$(BIN)/python -m docs.screenshots

dist: setup web  ## Build the wheel and the source archive into dist/.
	$(BIN)/python -m hatchling build

job:  ## Build dist/lamia-job.pyz: the job side in one file, for any Python from 3.9 on.
	rm -rf build/job && mkdir -p build/job/lamia_gql/client dist
	cp lamia_gql/__init__.py build/job/lamia_gql/
	cp lamia_gql/client/*.py build/job/lamia_gql/client/
	$(PYTHON) -m zipapp build/job --compress --python "/usr/bin/env python3" \
	  --main lamia_gql.client.__main__:main --output dist/lamia-job.pyz
	rm -rf build/job

clean:  ## Remove all that make has made, but not the data.
	rm -rf .venv lamia_gql/_web web/node_modules web/src/generated dist build .mypy_cache .ruff_cache .hypothesis
