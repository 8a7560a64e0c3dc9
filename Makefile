# Everything a contributor runs. Needs only Python 3.11 or newer, pip, make and git.

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
EXTRAS := $(foreach extra,delta demo lightgbm onnx postgres sklearn valkey xgboost,--extra $(extra))
LOCK := $(BIN)/uv pip compile --quiet --no-emit-index-url --generate-hashes --no-strip-extras --python-version 3.11 \
	--custom-compile-command "make lock"

# The requirements files are whole, so nothing is resolved (--no-deps): a release published meanwhile changes nothing.
# A stamp is written last, so an interrupted set-up is taken up again the next time.
CREATED := $(VENV)/.stamp-created
DEMO := $(VENV)/.stamp-demo
DEV := $(VENV)/.stamp-dev
PROJECT := $(VENV)/.stamp-project

# PyTorch has an environment of its own, with all that development needs beside it. pip is not told which build to take:
# it takes the one that its own settings lead to.
TORCH_VENV := .venv-torch
TORCH_PIP := $(TORCH_VENV)/bin/python -m pip --quiet --disable-pip-version-check
TORCH := torch==2.13.0 safetensors==0.8.0
TORCH_READY := $(TORCH_VENV)/.stamp-ready

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test test-slow test-torch check docs bench lock clean

help: ## show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

# --- the environment -------------------------------------------------------------------------------------------------

$(CREATED):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Cannot create $(VENV): Lockgate needs Python 3.11 or newer and '$(PYTHON)' is not." >&2; \
	  echo "Name another one: make PYTHON=python3.11 ..." >&2; exit 1; }
	@echo "setting up: a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(DEMO): requirements-demo.txt | $(CREATED)
	@echo "setting up: what the demo needs ($<, $$(grep -c '^[a-z].*==' $<) packages)"
	@$(PIP) install --no-deps --require-hashes -r $<
	@touch $@

# The development requirements are a superset of the demo's, in the same versions.
$(DEV): requirements-dev.txt | $(CREATED)
	@echo "setting up: what development needs ($<, $$(grep -c '^[a-z].*==' $<) packages)"
	@$(PIP) install --no-deps --require-hashes -r $<
	@touch $(DEMO) $@

$(PROJECT): pyproject.toml | $(CREATED)
	@echo "setting up: lockgate itself (editable)"
	@$(PIP) install --no-deps -e .
	@touch $@

$(TORCH_READY): requirements-dev.txt pyproject.toml Makefile | $(CREATED)
	@echo "setting up: PyTorch, in $(TORCH_VENV)"
	@$(PYTHON) -m venv $(TORCH_VENV)
	@$(TORCH_PIP) install --no-deps --require-hashes -r requirements-dev.txt
	@$(TORCH_PIP) install $(TORCH)
	@$(TORCH_PIP) install --no-deps -e .
	@touch $@

setup: $(DEV) $(PROJECT) ## set up the development environment in .venv

# --- what there is to run --------------------------------------------------------------------------------------------

# exec: an interrupt reaches Python itself, which stops what it started.
demo: $(DEMO) $(PROJECT) ## run the flight-delay example from commit to verified live answers (ARGS="...")
	@exec $(BIN)/python examples/flight_delay/demo.py $(ARGS)

# The parts of `make check`. A part is silent when it is well and prints what it found when it is not.
# A directory that holds no Python yet is left out: mypy refuses to be given one.
TYPED := $(foreach room,src tests examples benchmarks docs,$(if $(shell find $(room) -name '*.py' 2>/dev/null),$(room)))
CHECKS = not_well=""; \
  part() { name="$$1"; shift; \
    if found="$$("$$@" 2>&1)"; then echo "$$name ok"; \
    else printf '%s\n' "$$found"; echo "$$name NOT WELL"; not_well="$$not_well $$name"; fi; }; \
  part lint $(BIN)/ruff check --output-format=concise .; \
  part format $(BIN)/ruff format --check --output-format=concise .; \
  part types $(BIN)/mypy $(TYPED); \
  part imports $(BIN)/lint-imports --no-logo; \
  if [ -n "$$not_well" ]; then echo "not well:$$not_well"; else echo "all well"; fi

check: setup ## lint, format, types and imports: says which part is not well
	@$(CHECKS); [ -z "$$not_well" ]

# The tests run even when a check is not well, and their closing line comes last; either one failing fails the target.
test: setup ## make check, then the tests with their coverage (ARGS="-k ...")
	@$(CHECKS); \
	$(BIN)/python -m pytest -n 2 -m "not slow" --cov --cov-report=term $(ARGS); tests=$$?; \
	[ -z "$$not_well" ] && exit $$tests

test-slow: setup ## the tests that take minutes
	@exec $(BIN)/python -m pytest -m slow $(ARGS)

test-torch: $(TORCH_READY) ## the tests that need PyTorch, in .venv-torch (ARGS="-k ...")
	@exec $(TORCH_VENV)/bin/python -m pytest tests/torch $(ARGS)

docs: setup ## check the pages: their links, what is generated in them, and the examples they show
	@$(BIN)/python docs/check.py
	@$(BIN)/python docs/generate.py --check
	@exec $(BIN)/python -m pytest tests/unit/docs $(ARGS)

bench: setup ## run one benchmark and keep its figures: make bench NAME=x
	@[ -n "$(NAME)" ] || { echo "Which benchmark? make bench NAME=x, where x is one of:" >&2; \
	  ls benchmarks/*.py benchmarks/*/__main__.py | sed 's|/__main__[.]py$$||; s|.*/||; s|[.]py$$||' \
	  | grep -v -e '^__init__$$' -e '^harness$$' >&2; exit 2; }
	@mkdir -p build/bench
	@exec $(BIN)/python -m benchmarks.$(NAME) --json build/bench/$(NAME).json $(ARGS)

# --- upkeep ----------------------------------------------------------------------------------------------------------

# Development first, then its subsets held to the same versions. ARGS=--upgrade takes newer ones.
# PyTorch is heavy and comes in many builds: it is in none of them.
lock: setup ## compile the three requirements files again (ARGS=--upgrade for newer versions)
	@$(LOCK) $(ARGS) pyproject.toml $(EXTRAS) --group dev -o requirements-dev.txt
	@$(LOCK) $(ARGS) pyproject.toml --extra demo -c requirements-dev.txt -o requirements-demo.txt
	@$(LOCK) $(ARGS) pyproject.toml -c requirements-dev.txt -o requirements.txt
	@echo "compiled: requirements-dev.txt requirements-demo.txt requirements.txt"

clean: ## remove the environment, caches and everything built
	rm -rf $(VENV) $(TORCH_VENV) build dist .coverage .coverage.* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
