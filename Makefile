# `make run` starts the app, `make test` runs the tests. Both need Python 3.11 or newer and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tests that need no compiled code and no training: together under half a minute.
QUICK := tests/test_architecture.py tests/test_attention.py tests/test_bad_files.py tests/test_command_line.py tests/test_ensemble.py \
	tests/test_ensemble_file.py tests/test_metrics_ranks.py tests/test_package.py tests/test_patching.py

# The modules and packages of the core, by name.
MODULES := $(patsubst stochattn_core/%.py,stochattn_core.%,$(wildcard stochattn_core/[a-z]*.py)) \
	$(patsubst stochattn_core/%/__init__.py,stochattn_core.%,$(wildcard stochattn_core/[a-z]*/__init__.py))

.PHONY: run test test-browser check lint types quick docs weights screenshots calibration-report clean

run: $(VENV)/.app
	$(BIN)/python -m streamlit run app.py

# The kernels are compiled before the workers start; otherwise each worker would compile them.
test: $(VENV)/.dev
	$(BIN)/python -m stochattn_core.compiled
	$(BIN)/python -m pytest -n auto --dist worksteal

# Real headless Chromium against the real app; needs Debian's package chromium or any Chromium on the PATH.
test-browser: $(VENV)/.dev
	$(BIN)/python -m pytest --override-ini addopts="-q --strict-markers" tests/browser

# Before every commit: style, types and the quick tests, side by side.
check: $(VENV)/.tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(MAKE) --no-print-directory --jobs 2 --output-sync types quick

types: $(VENV)/.tools
	$(BIN)/mypy

quick: $(VENV)/.tools
	$(BIN)/python -m pytest --uncompiled $(QUICK)

lint: $(VENV)/.tools
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The reference of the public names and modules, as HTML in site/.
docs: $(VENV)/.tools
	$(BIN)/pdoc --docformat google --output-directory site stochattn_core $(MODULES)

# Trains the embedded weights again, from nothing, with a progress bar.
weights: $(VENV)/.app
	$(BIN)/python -m tools.train_weights

# One page on how every embedded dataset is calibrated, and with DATA=FOLDER the files of that folder: minutes to an hour.
calibration-report: $(VENV)/.app
	$(BIN)/python -m stochattn_core report --out calibration-report.html $(if $(DATA),--data $(DATA))

screenshots: $(VENV)/.dev
	$(BIN)/python -m tests.browser.screenshots screenshots

clean:
	rm -rf $(VENV) build site

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "expected Python 3.11 or newer, got $$($(PYTHON) --version 2>&1); run make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.app: requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -r requirements.txt
	$(BIN)/python -m stochattn_core.compiled
	@touch $@

$(VENV)/.tools: requirements.txt requirements-dev.txt requirements-oracles.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --no-deps -r requirements-oracles.txt
	@touch $@

$(VENV)/.dev: $(VENV)/.tools
	$(BIN)/python -m stochattn_core.compiled
	@touch $@ $(VENV)/.app
