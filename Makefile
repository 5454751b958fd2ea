# Everything that a person or the CI does with this project. `make` shows the list.
# Needs make and a Python >= 3.11; name another with `make setup PYTHON=python3.13`.

VENV ?= .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
DEV := $(VENV)/.installed-dev
LEAN := $(VENV)/.installed-lean
BENCH := $(VENV)/.installed-bench
SOURCES := mlreg tests scripts benchmarks

export PYTHON
.DEFAULT_GOAL := help

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- set-up ----------------------------------------------------------------------------------

.PHONY: setup
setup: $(DEV) ## create .venv and install mlreg with all that development needs

$(DEV): pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh $(VENV) dev,demo
	@touch $(DEV) $(LEAN)

$(LEAN): pyproject.toml scripts/setup.sh
	@sh scripts/setup.sh $(VENV) demo
	@touch $(LEAN)

.PHONY: demo
demo: $(LEAN) ## set up what a user has, and show the main job on real data
	@$(BIN)/mlreg demo $(DEMO)

# --- tests -----------------------------------------------------------------------------------

.PHONY: test
test: $(DEV) ## set up, then run all tests on all processors; ARGS="-k name" to choose
	$(PY) -m pytest -n auto $(ARGS)

.PHONY: test-fast
test-fast: $(DEV) ## the tests that take seconds
	$(PY) -m pytest -q -m "not slow and not process" $(ARGS)

.PHONY: cover
cover: $(DEV) ## branch coverage of all tests but the guides, child processes included
	$(PY) -m pytest -n auto --cov --cov-report=term-missing:skip-covered --ignore=tests/test_docs.py $(ARGS)

.PHONY: torture
torture: $(DEV) ## long campaigns: crashes at every step, storms, new draws
	$(PY) -m pytest -q tests/torture $(ARGS)
	$(PY) -m pytest -q --hypothesis-seed=$$(date +%s) -m "not process" $(ARGS)

.PHONY: calibrate
calibrate: $(DEV) ## how often tests without effect find one; ARGS="--runs 200 --only always"
	$(PY) -m scripts.calibrate $(ARGS)

.PHONY: bench
bench: $(BENCH) ## measure the performance budgets; ARGS="--quick --only B1,B3"
	$(PY) -m benchmarks $(ARGS)

$(BENCH): $(DEV)
	@$(PY) -m pip install --quiet --editable ".[bench]" || echo "bench: no neighbours to compare with" >&2
	@touch $(BENCH)

# --- checks ----------------------------------------------------------------------------------

.PHONY: lint
lint: $(DEV) ## style and formatting, changing nothing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: format
format: $(DEV) ## rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: type
type: $(DEV) ## mypy: strict on mlreg
	$(BIN)/mypy

.PHONY: layers
layers: $(DEV) ## imports go down only
	$(BIN)/lint-imports

.PHONY: docs
docs: $(DEV) ## regenerate the reference pages in docs/
	$(PY) scripts/docs.py

.PHONY: docs-check
docs-check: $(DEV) ## fail when a reference page is stale; run the guides
	$(PY) scripts/docs.py --check
	$(PY) -m pytest -q -n auto tests/test_docs.py

.PHONY: check
check: lint type layers docs-check build cover ## everything that CI runs, tests last

# --- release ---------------------------------------------------------------------------------

.PHONY: build
build: $(DEV) ## wheel and sdist into dist/, and a run of the wheel in a fresh environment
	rm -rf dist build
	$(PY) -m build --outdir dist .
	$(PY) scripts/smoke.py dist

.PHONY: release-check
release-check: check ## what must hold before a tag: clean tree, dated changelog, all checks
	$(PY) scripts/release_check.py

.PHONY: clean
clean: ## remove everything that can be made again, the environment included
	rm -rf $(VENV) dist build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis htmlcov .coverage .coverage.*
	find mlreg tests scripts benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
