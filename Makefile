# Three jobs: `make site` builds the website from the committed notebooks, `make book` executes
# them before, `make test` checks everything.  `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
.PHONY: help install site book notebooks lint test bench supplement lock clean

PYTHON ?= python3
PROFILE ?= laptop
DEVICE ?= auto
ONLY ?=
FRESH ?=
SEED ?=
JOBS ?=
PDF ?= 1
KEEP ?=
TORCH ?=
# PyTorch's own index of builds for processors alone.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
$(if $(filter-out cpu,$(TORCH)),$(error TORCH=$(TORCH): it is TORCH=cpu, or nothing for the package index's build))

# Threads that wait for others must sleep: where several processes share the
# cores, each with a thread on every core, spinning makes them three times slower.
export OMP_WAIT_POLICY ?= passive

VENV := .venv
PY := $(VENV)/bin/python
PIPELINE := $(PY) -m netdyn_lib.book
SETS := requirements/compute.txt requirements/book.txt requirements/test.txt
# Named by what it installs: a change of these files or of TORCH installs anew, and since
# it is written last, so does an install that was interrupted.
STAMP := $(VENV)/installed-$(shell { echo "$(TORCH)"; cat requirements.txt $(SETS) requirements/lock.txt pyproject.toml; } | { sha256sum 2>/dev/null || shasum -a 256; } | cut -c1-16)
# Builds for processors have the local version +cpu, except those for macOS: no other index can
# stand in for theirs unnoticed.
CPU_BUILDS = $(shell sed -n -E 's/^(torch(vision)?==[^ ]+).*/\1$(if $(filter Darwin,$(shell uname -s)),,+cpu)/p' requirements/compute.txt)

RUN = --device $(DEVICE) $(if $(SEED),--seed $(SEED)) $(if $(filter-out 0,$(FRESH)),--fresh) \
  $(if $(JOBS),--jobs $(JOBS))
WHICH = $(if $(ONLY),--only $(ONLY))

help:
	@echo 'make site       install into .venv, build _build/html from the committed notebooks, nothing executed'
	@echo 'make book       install into .venv, execute what changed, build _build/html'
	@echo 'make lint       ruff and mypy, in seconds; `make test` begins with it'
	@echo 'make test       unit tests, nbval on every notebook, the built pages; on the cpu'
	@echo 'make notebooks  execute at the laptop profile on the cpu and write the paired notebooks/*.ipynb'
	@echo 'make bench      speed and memory beside rivals that it installs for itself; KEEP=1 keeps the results for the book'
	@echo 'make supplement pack site, notebooks, figures, data and a PDF of the book into _build/supplement/*.zip; after make book'
	@echo 'make lock       resolve requirements/*.txt anew and write requirements/lock.txt'
	@echo 'make clean      remove _build'
	@echo
	@echo 'TORCH=cpu       PyTorch without CUDA, from its own index; for every target'
	@echo 'PROFILE=laptop|paper  DEVICE=auto|cpu|cuda  ONLY=01,03  FRESH=1  SEED=0  JOBS=2 (chapters, or tests, at once)  PDF=1  PYTHON=python3'

install: $(STAMP)

$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is missing or older than 3.11: pass PYTHON=python3.11 or later" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "$(PYTHON) could not make $(VENV); on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(if $(TORCH),$(PY) -m pip install --no-deps --index-url $(TORCH_INDEX) $(CPU_BUILDS) || \
	  { echo "$(CPU_BUILDS) could not be had from $(TORCH_INDEX): can this machine reach it? No other build was installed instead. (Without TORCH=cpu the package index gives one with CUDA.)" >&2; exit 1; })
	$(PY) -m pip install --requirement requirements.txt
	$(PY) -m pip install --no-deps --no-build-isolation --editable .
	@rm -f $(VENV)/installed-*
	@touch $@

site: $(STAMP)
	$(PIPELINE) site --committed

book: $(STAMP)
	$(PIPELINE) execute --profile $(PROFILE) $(RUN) $(WHICH)
	$(PIPELINE) site --profile $(PROFILE) $(WHICH)

# A pair shows a run on the processor, because that is where `make test` replays it.
notebooks: DEVICE = cpu
notebooks: $(STAMP)
	$(PIPELINE) execute $(RUN) $(WHICH)
	$(PIPELINE) pair $(WHICH)
	$(PIPELINE) readme

lint: $(STAMP)
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

# The committed outputs are of a run on the processor, so GPUs are hidden.
test: export CUDA_VISIBLE_DEVICES :=
test: lint
	$(PY) -m pytest -n $(or $(JOBS),2) --dist loadfile --nbval --nbval-current-env netdyn_lib book/_ext tests notebooks/*.ipynb

# The rivals have a folder of their own: what the book is pinned to stays as it is.
RIVALS := _build/rivals/installed-$(shell cat tests/bench/requirements.txt | { sha256sum 2>/dev/null || shasum -a 256; } | cut -c1-16)

# Nothing runs beside it, so threads may spin while they wait: sleeping and waking at
# every product would make rivals with several threads slower than they are.
bench: $(STAMP) $(RIVALS)
	env -u OMP_WAIT_POLICY $(PY) -m tests.bench $(if $(filter-out 0,$(KEEP)),--keep)

$(RIVALS): $(STAMP)
	rm -rf _build/rivals
	$(PY) -m pip install --quiet --target _build/rivals --no-deps --requirement tests/bench/requirements.txt
	@touch $@

supplement: $(STAMP)
	$(PIPELINE) supplement --profile $(PROFILE) $(if $(filter 0,$(PDF)),--without-pdf)

# What pip would install for the three sets, with nothing installed and no lock before.
lock:
	$(PYTHON) -m venv _build/lock
	{ echo '# Every package that requirements.txt brings on Linux, pinned; written by `make lock`. A'; \
	  echo '# constraint: it says which version, and installs nothing that no other package needs.'; \
	  _build/lock/bin/python -m pip install --quiet --dry-run --report - $(SETS:%=--requirement %) \
	  | $(PYTHON) -c 'import json, sys; found = [one["metadata"] for one in json.load(sys.stdin)["install"]]; \
	      print(*sorted(one["name"].lower() + "==" + one["version"] for one in found), sep="\n")'; \
	} > _build/lock.txt
	mv _build/lock.txt requirements/lock.txt
	rm -r _build/lock

clean:
	rm -rf _build
