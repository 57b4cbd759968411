# Two commands: `make run` starts the app, `make test` runs the tests. Both need Python 3.11 or newer and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test test-browser lint weights screenshots calibration-report clean

run: $(VENV)/.app
	$(BIN)/python -m streamlit run app.py

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n auto

# Real headless Chromium against the real app; needs Debian's package chromium or any Chromium on the PATH.
test-browser: $(VENV)/.dev
	$(BIN)/python -m pytest --override-ini addopts="-q --strict-markers" tests/browser

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# Trains the embedded weights again, from nothing, with a progress bar.
weights: $(VENV)/.app
	$(BIN)/python -m tools.train_weights

# One page on how every embedded dataset is calibrated, and files of ../shared/data where there are such: minutes to an hour.
calibration-report: $(VENV)/.app
	$(BIN)/python -m stochattn_core.report --out calibration-report.html

screenshots: $(VENV)/.dev
	$(BIN)/python -m tests.browser.screenshots screenshots

clean:
	rm -rf $(VENV)

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "expected Python 3.11 or newer, got $$($(PYTHON) --version 2>&1); run make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.app: requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -r requirements.txt
	$(BIN)/python -m stochattn_core.compiled
	@touch $@

$(VENV)/.dev: requirements.txt requirements-dev.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -r requirements-dev.txt
	$(BIN)/python -m stochattn_core.compiled
	@touch $@ $(VENV)/.app
