# `make run` and `make test` set up everything they need. `make help` lists the rest.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
# Where programs may not keep their bytecode (PYTHONDONTWRITEBYTECODE), each start would compile for a second.
BYTECODE := $(BIN)/python -m compileall -q src/gatepost

.PHONY: help run test check lint types layers tidy soak bench compile docs clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): pyproject.toml constraints.txt tools/setup
	@tools/setup $(VENV)
	@touch $@

$(DEV_STAMP): $(STAMP)
	@tools/setup $(VENV) dev
	@touch $@

run: $(STAMP)  ## start the platform with examples/securecart and print its endpoints
	@$(BYTECODE)
	@exec $(BIN)/gatepost up examples/securecart/template.yaml

test: $(DEV_STAMP)  ## run every test
	@$(BYTECODE)
	@$(BIN)/python -m pytest -n 2 --dist worksteal

check: lint types layers tidy  ## format, lint, types, layers, tidy, unit and contract tests
	@$(BIN)/python -m pytest -n 2 tests/unit tests/contract

lint: $(DEV_STAMP)  ## ruff
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .

types: $(DEV_STAMP)  ## mypy --strict
	@$(BIN)/mypy

layers: $(DEV_STAMP)  ## import-linter
	@PYTHONPATH=src $(BIN)/lint-imports --no-cache

tidy: $(DEV_STAMP)  ## the shape of the code
	@$(BIN)/python -m pytest tests/contract/test_tidy.py

docs: $(DEV_STAMP)  ## write the generated pages
	@$(BIN)/python -m gatepost.templates.ledger_page

soak: $(DEV_STAMP)  ## long loops: fuzzing, kill -9, power cuts, sizes
	@$(BIN)/python -m pytest -m soak tests

bench: $(DEV_STAMP)  ## measure beside the peers; writes benchmarks/RESULTS.md
	@$(BIN)/python -m benchmarks

compile: $(DEV_STAMP)  ## compile the hot modules beside their sources (needs gcc); `tools/compile --remove` undoes it
	@$(BIN)/python tools/compile

clean:  ## remove what was built
	find src -name '*.so' -delete
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .gatepost
