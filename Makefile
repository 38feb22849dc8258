# make run: set up and start. make test: set up and test. make check: format, lint, types, imports.
# make lock: renew the pinned requirements. make test-cluster: set up and test several processes on PostgreSQL and Redis behind nginx.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test test-cluster cluster-servers check format lock browser-tools clean

run: $(VENV)/.run-ready
	$(BIN)/python server.py $(ARGS)

test: $(VENV)/.dev-ready browser-tools
	$(BIN)/pytest -n auto --dist loadfile --ignore tests/cluster $(ARGS)

# The tests on the oldest and the newest supported Python, where these are installed.
PYTHONS := 3.11 3.13
.PHONY: check-pythons
check-pythons:
	@for version in $(PYTHONS); do \
		if command -v python$$version >/dev/null; then \
			$(MAKE) test PYTHON=python$$version VENV=.venv-$$version || exit 1; \
		else \
			echo "python$$version is not installed; skipped"; \
		fi; \
	done

# Everything that must be the same on both engines, on PostgreSQL; then the cluster and what breaks it.
ON_BOTH := tests/handlers tests/domain tests/jobs tests/db/test_list_answers.py tests/test_live.py \
	tests/test_state_machine.py tests/test_schemathesis.py
test-cluster: $(VENV)/.dev-ready cluster-servers
	$(BIN)/pytest -n auto --dist loadfile --engine postgresql $(ON_BOTH)
	$(BIN)/pytest -n auto --dist loadfile tests/cluster $(ARGS)

# Their Debian packages. The tests start servers of their own, and leave alone what runs already.
cluster-servers:
	@missing=; \
	ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing="$$missing postgresql"; \
	command -v redis-server >/dev/null || command -v valkey-server >/dev/null || missing="$$missing redis-server"; \
	command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || missing="$$missing nginx"; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -q && \
		DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing; \
	else \
		echo "make test-cluster needs, on Debian: apt-get install$$missing"; exit 1; \
	fi

check: $(VENV)/.dev-ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy helpdesk server.py
	$(BIN)/pytest tests/test_guards.py

format: $(VENV)/.dev-ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Compile requirements*.in into requirements*.txt: everything that is installed, with the versions and hashes of all
# platforms and Python versions. Newer versions of what the .in files do not pin: make lock LOCK=--upgrade
lock: $(VENV)/bin/python
	@$(PYTHON) -m venv $(VENV)-lock && $(VENV)-lock/bin/pip install --quiet --disable-pip-version-check uv==0.13.9
	for name in requirements requirements-cluster requirements-dev; do \
		$(VENV)-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
			--custom-compile-command "make lock" $(LOCK) -o $$name.txt $$name.in || exit 1; \
	done
	rm -rf $(VENV)-lock

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

$(VENV)/.dev-ready: requirements.txt requirements-cluster.txt requirements-dev.txt | $(VENV)/bin/python
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

# Ten minutes. Needs wrk and what make test-cluster needs.
.PHONY: bench-cluster
bench-cluster: $(VENV)/.dev-ready cluster-servers
	@command -v wrk >/dev/null || { echo "make bench-cluster needs wrk; on Debian: apt-get install wrk"; exit 1; }
	$(BIN)/python -m bench.cluster
	$(BIN)/python -m bench.commit_order
	$(BIN)/python -m bench.load --data-dir $(BENCH_DIR)/middling --tickets 100000
	$(BIN)/python -m bench.copied --data-dir $(BENCH_DIR)/middling
