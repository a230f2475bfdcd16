# `make demo` runs the whole program, `make test` all checks. They need Python 3.11+ and make; tests of
# the page also need a Chromium (apt-get install chromium, or CHROMIUM=PATH) and are skipped without.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

SECONDS ?= 60
SEED ?= 1
COUNT ?= 10
FAULT ?= kill

.PHONY: help venv demo test fuzz kills lint types format clean

help:  ## list these targets
	@awk -F ":.*## " '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(STAMP)  ## create .venv with diapir and its tools, at pinned versions

demo: $(STAMP)  ## train, evaluate and predict on a synthetic survey, and write the report
	$(BIN)/diapir demo

test: lint types  ## lint, types, then all tests, one process with one thread per core
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses=auto --dist=loadfile

fuzz: $(STAMP)  ## read hostile inputs for SECONDS=60, from SEED=1 (TARGET=images,zips NUMBER=17)
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS) --seed $(SEED) --target "$(TARGET)" $(if $(NUMBER),--number $(NUMBER))

kills: $(STAMP)  ## kill each command at COUNT=10 moments (FAULT=full: fill its disk), from SEED=1 (COMMAND=train,tune)
	$(BIN)/python -m tests.kills --fault $(FAULT) --count $(COUNT) --seed $(SEED) --command "$(COMMAND)"

lint: $(STAMP)  ## ruff: errors and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)  ## mypy, strict on src
	$(BIN)/mypy

format: $(STAMP)  ## fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove .venv and all caches; runs and demos stay
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

# rebuilt only when its inputs change
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than 3.11; use a newer one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[train,dev]"
	@touch $@
