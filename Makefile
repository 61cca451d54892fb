# `make demo` and `make test` do all of their own set-up in .venv, and install again only what changed.
# Needs: Python 3.10-3.13 with venv, and make. Another interpreter: make PYTHON=python3.12 test

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check install --quiet --constraint constraints.txt
TORCH := $(shell grep '^torch==' constraints.txt)
OUT ?= runs/demo
# processes that run the tests, each with one thread and about 2 GiB
JOBS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); [ $$n -gt 4 ] && n=4; echo $$n)
# whole modules to each of them, in the order of tests/conftest.py
SHARED := --numprocesses $(JOBS) --dist loadscope --no-loadscope-reorder

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test families lint format clean

help:  ## this list
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.core  ## the whole road on the embedded default, then runs/demo/report.html (OUT=folder)
	$(PY) -m pseudogd demo --out $(OUT)

test: $(VENV)/.dev  ## every test (ARGS="tests/vqa -k nearer" for some)
	OMP_NUM_THREADS=1 $(PY) -m pytest $(SHARED) $(ARGS)

families: $(VENV)/.dev  ## write the table of docs/families.md from the outcomes of its tests
	OMP_NUM_THREADS=1 $(PY) -m pytest $(SHARED) --write-families -m column

lint: $(VENV)/.dev  ## ruff check, ruff format --check, mypy
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

format: $(VENV)/.dev  ## write the format that lint checks
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

clean:  ## remove the environment and every cache, not runs/
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis src/*.egg-info
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' || \
	  { echo "$(PYTHON) is not Python 3.10-3.13: run make with PYTHON=python3.12 (or another that is)" >&2; exit 2; }
	@$(PYTHON) -m venv $(VENV) >/dev/null || { rm -rf $(VENV); \
	  echo "python3 -m venv failed: install it first, e.g. sudo apt install python3-venv" >&2; exit 2; }

# torch goes first and by its exact version, so that a build for this machine (CPU only, say) that pip already
# knows of is taken, and no later package can draw in another one.
$(VENV)/.core: pyproject.toml constraints.txt | $(PY)
	@echo "installing $(TORCH) and the package into $(VENV): a few minutes"
	$(PIP) '$(TORCH)'
	$(PIP) --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.core
	@echo "installing the development tools into $(VENV)"
	$(PIP) --editable '.[dev]'
	@touch $@
