# Everything here needs only make and Python 3.11 or newer: `make verify` on a fresh machine builds its own .venv.
# Paths are relative throughout, so that a checkout whose path has spaces works.
PYTHON  ?= python3
WORKERS ?= 2
VENV    := .venv
BIN     := $(VENV)/bin
READY   := $(VENV)/.ready
CHECK   := "$(BIN)/proofs-check"

# What the coverage job runs with the JIT off: the tests of the operators and of the kernels behind them.
KERNEL_TESTS ?= $(wildcard $(addprefix tests/tabular/,_kernels* reference test_*kernels*.py test_operators.py test_regularizers.py))

.DEFAULT_GOAL := help
.PHONY: help verify verify-quick verify-thorough mutants calibration tightness bench figures report test test-thorough test-browser lint coverage lock clean

help:  ## this list
	@awk -F ':.*## *' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' Makefile
	@echo "  PYTHON=$(PYTHON) builds .venv, WORKERS=$(WORKERS) processes run the tests; set either on the command line."

verify: $(READY)  ## every claim of every paper, at the default budget
	$(CHECK) verify

verify-quick: $(READY)  ## the same in a minute or two
	$(CHECK) verify --quick

verify-thorough: $(READY)  ## the same at length
	$(CHECK) verify --thorough

mutants: $(READY)  ## plant every mutant anew and see that a claim kills it
	$(CHECK) mutants --fresh

calibration: $(READY)  ## simulate 10,000 statements of each kind: how often verdicts are wrong, and how often they come
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m proofs_check.calibration --out docs/calibration.md

tightness: $(READY)  ## attack every claim: how near its bound an instance comes
	$(CHECK) attack --all --workers $(WORKERS) --table docs/tightness.md

bench: $(READY)  ## the project beside its peers: tables, raw numbers and the plot in results/benchmarks; an hour or more
	$(BIN)/python -m benchmarks
	$(BIN)/python -m benchmarks exponents

figures: $(READY)  ## every figure at the quick size, and the tightness of every claim without one, in results/figures; see docs/figures.md
	$(BIN)/python -m figures all --quick --format pdf,svg
	$(BIN)/python -m figures tightness all --quick --format pdf,png

report: $(READY)  ## what the store knows, as a site in report/ to open in a browser; runs nothing
	$(CHECK) report

test: lint coverage  ## lint, the kernels' tests with the JIT off, then all tests
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

test-thorough: $(READY)  ## the tests that `make test` deselects by name
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup -m thorough

test-browser: $(READY)  ## the site of the report in a headless Chromium (CHROMIUM=..., else the one on the path)
	$(BIN)/python -m pytest -m browser tests/proofs_check/report

lint: $(READY)  ## ruff, mypy, and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

coverage: $(READY)  ## line and branch coverage of operators and kernels, JIT off
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest -q --cov --cov-report=term:skip-covered $(or $(KERNEL_TESTS),$(error no tests of operators and kernels in tests/tabular))

lock: $(READY)  ## resolve requirements.lock anew
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --fork-strategy fewest --generate-hashes \
		--no-emit-package tabular-proofs --custom-compile-command "make lock" --upgrade --quiet \
		--output-file requirements.lock

clean:  ## remove .venv and everything generated
	rm -rf $(VENV) build dist *.egg-info .coverage htmlcov .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml
	@command -v "$(PYTHON)" >/dev/null || { \
		echo "error: '$(PYTHON)' was not found. Install Python 3.11 or newer, or say where it is: make PYTHON=/path/to/python3" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: Python 3.11 or newer is needed, and '$(PYTHON)' is $$("$(PYTHON)" --version 2>&1). Name another: make PYTHON=/path/to/python3" >&2; exit 1; }
	"$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
