# Everything a newcomer types. Each target works from a bare checkout with Python 3.11+ and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo test bench check lock pictures clean

help: ## show this list
	@grep -E '^[a-z.]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

$(UV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "biasgov needs Python 3.11 or later; set PYTHON=..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "uv>=0.9,<1"

$(VENV)/demo.stamp: requirements/demo.lock requirements/data.txt pyproject.toml | $(UV)
	@echo "Installing the pinned dependencies ..."
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/demo.lock
	$(UV) pip install --quiet --python $(BIN)/python --no-deps -r requirements/data.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.lock $(VENV)/demo.stamp
	@echo "Installing what the tests and checks need ..."
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.lock
	@touch $@

$(VENV)/bench.stamp: requirements/bench.lock $(VENV)/dev.stamp
	@echo "Installing the peers that the benchmark runs beside us ..."
	$(PYTHON) -m venv $(VENV)/peers
	$(UV) pip install --quiet --python $(VENV)/peers/bin/python --require-hashes -r requirements/bench.lock
	@touch $@

.venv: $(VENV)/demo.stamp ## the virtual environment alone

demo: $(VENV)/demo.stamp ## the whole product with four models, until Ctrl-C (ARGS=--check: compute, report, stop)
	@$(BIN)/python -m apps.demo $(ARGS)

test: $(VENV)/dev.stamp ## all tests, a browser included (ARGS=... goes to pytest)
	@$(BIN)/python -m tests.browser.install
	@$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

bench: $(VENV)/bench.stamp ## the benchmark table; writes bench.json
	@$(BIN)/python -m tests.benchmarks $(ARGS)

check: $(VENV)/dev.stamp ## ruff, mypy, import contracts, migrations, deployment check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy biasgov apps
	$(BIN)/lint-imports
	$(BIN)/python -m tests.check_django

pictures: $(VENV)/dev.stamp ## take the documentation's pictures from a running demo
	@PYTHONPATH=. $(BIN)/python docs/pictures/make.py $(ARGS)

lock: $(UV) ## pin the newest allowed versions again
	$(UV) pip compile -q --upgrade pyproject.toml --extra server --generate-hashes --no-header --python-version 3.11 -o requirements/server.lock
	$(UV) pip compile -q --upgrade pyproject.toml --extra server --extra gate --extra embedded --extra demo --generate-hashes --no-header --python-version 3.11 -o requirements/demo.lock
	$(UV) pip compile -q --upgrade pyproject.toml --extra server --extra gate --extra embedded --extra demo --extra dev -c requirements/demo.lock --generate-hashes --no-header --python-version 3.11 -o requirements/dev.lock
	$(UV) pip compile -q --upgrade requirements/bench.in --generate-hashes --no-header --python-version 3.11 -o requirements/bench.lock

clean: ## stop the embedded services and remove their state and the virtual environment
	-@for home in .local .local/test .local/test/gw* .local/bench; do BIASGOV_HOME=$$home $(BIN)/python -m biasgov.local remove --yes; done
	rm -rf .local $(VENV)
