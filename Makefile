# make demo    set up, draw a scene, ask a question of it:   make demo IMAGE=photo.jpg QUERY="..." [GSD=0.3] for your own
# make test    set up with the development tools, run all CPU tests
# make test-torch  the same for what needs torch, in an environment of its own
# make test-full   the same for what needs torchvision (the sam2 package, qwen_vl_utils, transformers serve) or Ray
# make test-lmms   the same for the plugin of lmms-eval; not part of CI
# make check   what CI runs: format, lint, types, tests
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-torch test-full test-lmms lint format types check bench bench-torch weights clean

PYTHON ?= $(firstword $(shell command -v python3.11 || command -v python3 || echo python3))
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -qq
SHELL := /bin/bash
TORCH_VENV ?= .venv-torch
TORCH ?= torch==2.13.0
TORCH_EXTRAS ?= train,llm,qwen,sam2-hf,compare
FULL_VENV ?= .venv-full
FULL_EXTRAS ?= qwen,sam2,serve,ray
LMMS_VENV ?= .venv-lmms

IMAGE ?=
QUERY ?= planes longer than 33 m in the northern half
GSD ?=
OUT ?= out
PYTEST_ARGS ?=

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

# ---- environments: a stamp is as old as the pyproject.toml it was made from ----------------------------------

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name yours: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	@echo "creating $(VENV) with $$($(PYTHON) --version)" >&2
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: pyproject.toml | $(VENV)/.created
	@echo "installing surveyor (about a minute the first time)" >&2
	@$(PIP) install --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(VENV)/.created
	@echo "installing surveyor with its development tools (about a minute the first time)" >&2
	@$(PIP) install --editable '.[dev]'
	@touch $@ $(VENV)/.installed

# ---- what people run ------------------------------------------------------------------------------------------

ifeq ($(strip $(IMAGE)),)
demo: $(VENV)/.installed  ## set up, draw a scene, ask of it (or IMAGE=photo.jpg QUERY="..." GSD=0.3)
	@mkdir -p $(OUT)
	@$(BIN)/python examples/draw_scene.py $(OUT)/scene.tif --kind mixed --size 1000x640
	@$(BIN)/surveyor ask $(OUT)/scene.tif "$(QUERY)" --out $(OUT)
else
demo: $(VENV)/.installed
	@$(BIN)/surveyor ask "$(IMAGE)" "$(QUERY)" --out "$(OUT)" $(if $(GSD),--gsd $(GSD))
endif

test: $(VENV)/.installed-dev  ## set up with the development tools, run all CPU tests
	@$(BIN)/python -m pytest $(PYTEST_ARGS)

# torch first and pinned: an open range can draw in gigabytes of CUDA builds
$(TORCH_VENV)/.installed: pyproject.toml
	@echo "installing surveyor with torch into $(TORCH_VENV) (some minutes the first time)" >&2
	@test -x $(TORCH_VENV)/bin/python || $(PYTHON) -m venv $(TORCH_VENV)
	@$(TORCH_VENV)/bin/python -m pip --disable-pip-version-check -qq install '$(TORCH)'
	@$(TORCH_VENV)/bin/python -m pip --disable-pip-version-check -qq install --editable '.[dev,$(TORCH_EXTRAS)]'
	@touch $@

test-torch: $(TORCH_VENV)/.installed  ## the tests that need torch (training recipes), in an environment of their own
	@$(TORCH_VENV)/bin/python -m pytest -m 'torch and not gpu and not slow' $(PYTEST_ARGS)

# torchvision brings the torch it was built for, with CUDA (gigabytes); it runs on a CPU too
$(FULL_VENV)/.installed: pyproject.toml
	@echo "installing surveyor with torchvision, sam2 and Ray into $(FULL_VENV) (about ten minutes the first time)" >&2
	@test -x $(FULL_VENV)/bin/python || $(PYTHON) -m venv $(FULL_VENV)
	@$(FULL_VENV)/bin/python -m pip --disable-pip-version-check -qq install --editable '.[dev,$(FULL_EXTRAS)]'
	@touch $@

test-full: $(FULL_VENV)/.installed  ## the tests that need torchvision or Ray, in an environment of their own
	@$(FULL_VENV)/bin/python -m pytest -m 'full and not gpu and not slow' $(PYTEST_ARGS)

# an environment of its own: lmms-eval and sam2 want different versions of antlr4
$(LMMS_VENV)/.installed: pyproject.toml
	@echo "installing surveyor with lmms-eval into $(LMMS_VENV) (about ten minutes the first time)" >&2
	@test -x $(LMMS_VENV)/bin/python || $(PYTHON) -m venv $(LMMS_VENV)
	@$(LMMS_VENV)/bin/python -m pip --disable-pip-version-check -qq install --editable '.[dev,lmms]'
	@touch $@

test-lmms: $(LMMS_VENV)/.installed  ## the tests of the plugin of lmms-eval; not part of CI
	@$(LMMS_VENV)/bin/python -m pytest -m full -p no:hydra_pytest $(PYTEST_ARGS) tests/test_bench_plugins_lmms.py

lint: $(VENV)/.installed-dev  ## ruff, formatting, types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(MAKE) --no-print-directory types

types: $(VENV)/.installed-dev  ## mypy on the package (a link, because the repository root is the package)
	@mkdir -p .mypy_cache/path && ln -sfn ../.. .mypy_cache/path/surveyor
	@cd .mypy_cache/path && $(abspath $(BIN))/mypy --config-file ../../pyproject.toml --cache-dir .. -p surveyor

format: $(VENV)/.installed-dev  ## put the code in order
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

check: lint test  ## what CI runs

bench: $(VENV)/.installed-dev  ## every benchmark that needs no torch, as a table each
	@for file in $$(grep -L 'torch' benchmarks/bench_*.py); do echo "== $$file"; $(BIN)/python $$file || exit 1; done

bench-torch: $(TORCH_VENV)/.installed  ## the benchmarks of the large-model backends, on random weights
	@export MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=17179869184 OMP_NUM_THREADS=1; \
	for file in $$(grep -l 'torch' benchmarks/bench_*.py); do \
	  echo "== $$file"; $(TORCH_VENV)/bin/python $$file || exit 1; done

weights:  ## list the digests of the embedded models' files (after exporting new ones)
	@cd tools/models/compact/weights && sha256sum *.onnx *.json > SHA256SUMS && cat SHA256SUMS

clean:  ## environment, caches and out/ away
	rm -rf .venv .venv-torch .venv-full .venv-lmms out build .mypy_cache .ruff_cache .pytest_cache *.egg-info
