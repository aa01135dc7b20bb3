# Everything a person or the build does here. `make` alone lists it.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
ONLY   ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo dev run test check fix bench docs clean

help: ## list the verbs
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: $(STAMP) ## everything a fresh clone needs

$(STAMP): requirements/dev.txt server/pyproject.toml cli/pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Strait needs Python 3.11 or newer")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e server -e cli
	@touch $(STAMP)

demo: $(STAMP) ## see runs succeed, retry, die and come back
	@$(BIN)/python -m examples.demo

dev: $(STAMP) ## serve until Ctrl-C, for trying things out
	@$(BIN)/strait dev

run: dev

test: $(STAMP) ## the tests; ONLY=path for some
	@cd server && ../$(BIN)/pytest -q $(if $(ONLY),../$(ONLY),tests)
	@$(if $(ONLY),true,cd cli && ../$(BIN)/pytest -q tests)

check: $(STAMP) ## format, lint, contracts, types
	@cd server && ../$(BIN)/ruff format --check --quiet . && ../$(BIN)/ruff check --quiet .
	@cd cli && ../$(BIN)/ruff format --check --quiet . && ../$(BIN)/ruff check --quiet .
	@cd bench && ../$(BIN)/ruff format --check --quiet . && ../$(BIN)/ruff check --quiet .
	@cd server && ../$(BIN)/lint-imports > /tmp/strait-contracts.$$$$ || { cat /tmp/strait-contracts.$$$$; exit 1; }; rm -f /tmp/strait-contracts.$$$$
	@cd server && ../$(BIN)/mypy
	@cd cli && ../$(BIN)/mypy
	@cd server && ../$(BIN)/basedpyright --pythonpath ../$(BIN)/python --level error
	@cd cli && ../$(BIN)/basedpyright --pythonpath ../$(BIN)/python --level error

fix: $(STAMP) ## what a tool can mend
	@cd server && ../$(BIN)/ruff check --fix --quiet . ; ../$(BIN)/ruff format --quiet .
	@cd cli && ../$(BIN)/ruff check --fix --quiet . ; ../$(BIN)/ruff format --quiet .
	@cd bench && ../$(BIN)/ruff check --fix --quiet . ; ../$(BIN)/ruff format --quiet .

docs: $(STAMP) ## write openapi.json, schema.sql and the reference anew
	@$(BIN)/python docs/generate.py

bench: $(STAMP) ## measure; numbers with their conditions
	@$(BIN)/python -m bench

clean: ## forget the environment and the demo's data
	@rm -rf $(VENV) .venv-client .strait
