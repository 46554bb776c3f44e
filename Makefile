# `make bench` and `make test` each work alone on a fresh clone: both make .venv first, from the pins.

PYTHON ?= python3
BIN := .venv/bin
# Also in force where pip builds a package (hnswlib) in an environment of its own.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help bench test lint types tests clean kernels

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

bench: .venv/installed ## train DVF for ten seconds on the synthetic data set and measure it
	$(BIN)/bench run --method dvf --set seconds=10

test: lint types tests ## the whole check: ruff, mypy, pytest

lint: .venv/installed ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/installed ## mypy --strict on bench
	$(BIN)/mypy

tests: .venv/installed ## pytest
	$(BIN)/pytest

clean: ## remove the environment and what tools cached
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache build

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "bench needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet torch==2.13.0
	$(BIN)/pip install --quiet --editable '.[test]'
	$(MAKE) --no-print-directory kernels
	touch $@

# numba compiles on first use and keeps the result beside the sources: done here, on a toy run that also shows that the
# installation works, the first real run is as fast as every other.
kernels:
	folder=$$(mktemp -d) && $(BIN)/bench run --quiet --method item_cf,dvf --dataset synthetic:items=500,interactions=5000 \
		--set dvf.epochs=1 --results $$folder --cache $$folder > $$folder/said || { cat $$folder/said; exit 1; }; rm -rf $$folder
