# What a developer and CI run; see CONTRIBUTING.md.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.DEFAULT_GOAL := help
.PHONY: help setup run test test-slow lint format bench schema schema-check lock dist clean

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

run: setup  ## Serve on http://127.0.0.1:8088, or as the LAMIA_* settings say.
	$(BIN)/lamia-gql serve

test: setup  ## Run the tests; under four minutes on two cores.
	$(BIN)/pytest -n 2 -m "not slow"

test-slow: setup  ## Run the tests that take longer: load, crashes, long fuzzing.
	$(BIN)/pytest -n 2 -m slow

lint: setup  ## Check the style and the types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup  ## Put the style right, where that needs no thought.
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup  ## Run the benchmarks.
	set -e; for bench in bench/*.py; do $(BIN)/python $$bench; done

schema: setup  ## Write the schema that the code has to schema/schema.graphql.
	$(BIN)/lamia-gql schema > schema/schema.graphql

schema-check: setup  ## Fail where schema/schema.graphql is not what the code has.
	$(BIN)/lamia-gql schema | diff -u schema/schema.graphql -

lock: setup  ## Pin the newest releases of all dependencies in requirements.lock.
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
	  --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
	  --extra postgres --group dev pyproject.toml -o requirements.lock

dist: setup  ## Build the wheel and the source archive into dist/.
	$(BIN)/python -m hatchling build

clean:  ## Remove all that make has made, but not the data.
	rm -rf .venv dist .mypy_cache .ruff_cache .hypothesis
