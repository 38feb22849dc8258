# make run: set up and start. make test: set up and test. make check: format, lint, types, imports.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test check format browser-tools clean

run: $(VENV)/.run-ready
	$(BIN)/python server.py $(ARGS)

test: $(VENV)/.dev-ready browser-tools
	$(BIN)/pytest -n auto --dist loadfile $(ARGS)

check: $(VENV)/.dev-ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy helpdesk server.py
	$(BIN)/pytest tests/test_guards.py

format: $(VENV)/.dev-ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# The browser tests look for axe-core; without npm they say so (and fail in CI).
browser-tools:
	@if [ -f tests/browser/package-lock.json ] && command -v npm >/dev/null; then \
		cd tests/browser && [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund --silent; \
	fi

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "HelpDesk Mini needs Python 3.11 or newer as $(PYTHON); name another with make PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "$(PYTHON) has no venv module; on Debian: apt-get install python3-venv"; exit 1; }

$(VENV)/.run-ready: requirements.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.dev-ready: requirements.txt requirements-dev.txt | $(VENV)/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.run-ready

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis tests/browser/node_modules

# A few minutes, and 6 GB in BENCH_DIR for the million. Needs wrk (on Debian: apt-get install wrk).
BENCH_DIR ?= /tmp/helpdesk-bench
BENCH_TICKETS ?= 1000000

.PHONY: bench
bench: $(VENV)/.run-ready
	@command -v wrk >/dev/null || { echo "make bench needs wrk; on Debian: apt-get install wrk"; exit 1; }
	$(BIN)/python -m bench.load --data-dir $(BENCH_DIR)/small --tickets 1000
	$(BIN)/python -m bench.load --data-dir $(BENCH_DIR)/large --tickets $(BENCH_TICKETS)
	$(BIN)/python -m bench.run --small $(BENCH_DIR)/small --large $(BENCH_DIR)/large
	$(BIN)/python -m bench.streams --data-dir $(BENCH_DIR)/small
	$(BIN)/python -m bench.fair --data-dir $(BENCH_DIR)/large
