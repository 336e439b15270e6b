# Everything that is done to this repository. `make` alone lists the targets.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
DIST   ?= dist
# For which Python and which machines the wheels of $(DIST)/wheelhouse are.
TAG     = $(shell $(BIN)/python -c 'import sys, sysconfig; print(sys.implementation.cache_tag, sysconfig.get_platform(), sep="-")')
PIP    := $(BIN)/python -m pip --quiet --disable-pip-version-check
PIN    := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help setup demo test faults fuzz compare shots docs soak peers check format lock wheelhouse bench clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-10s %s\n", $$1, $$2 }'

setup: $(STAMP) ## make .venv and install the locked dependencies and pacslake into it

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' \
	  || { echo "pacslake needs Python 3.11 to 3.14. Type: make PYTHON=/path/to/python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "This Python has no venv. On Debian or Ubuntu type: apt-get install python3-venv" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV) && $(PIP) install --no-compile --require-hashes --only-binary :all: -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation --no-index -e .
	@$(BIN)/python -m compileall -qqj 0 $(VENV)/lib; touch $@  # pip compiles with one processor

demo: $(STAMP) ## crawl an embedded simulated PACS and answer three questions with SQL
	@$(BIN)/pacslake demo

test: $(STAMP) peers ## run every test, real Orthanc and DCMTK servers included
	$(BIN)/python -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder

faults: $(STAMP) peers ## let each fault of tests/faults/table.py happen, wherever it can, and print what came of it
	PACSLAKE_FAULTS=all $(BIN)/python -m pytest tests/faults

fuzz: $(STAMP) ## look for bytes that break what reads them, MINUTES=30 a target, and attack /api/v1
	@VENV=$(VENV) tests/fuzz/run

compare: $(STAMP) peers ## ask four real servers 81 questions, with pacslake find and three other tools
	PACSLAKE_COMPARE=all $(BIN)/python -m pytest tests/integration/test_same_answers.py

shots: $(STAMP) ## take the pictures of docs/pages.md anew, with Chromium
	$(BIN)/python -m tests.browser.shots

docs: $(STAMP) ## make HTML and man pages of docs/, in docs/made; a warning is an error
	$(BIN)/python docs/making.py

soak: $(STAMP) ## sweep 10,000 simulated PACS with drawn quirks; kill retrievals at 200 moments; serve ten for an hour
	tests/soak $(BIN)/python -m pytest

peers: # Orthanc, DCMTK and Daft, which tests meet: installed where that is allowed
	@PYTHON=$(PYTHON) VENV=$(VENV) tests/install_peers

check: $(STAMP) ## format, lint, types and known vulnerabilities, without changing a file
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/python -m tests.advisories requirements.lock

format: $(STAMP) ## format the code and sort the imports
	$(BIN)/ruff check --fix --select I . && $(BIN)/ruff format .

lock: ## pin every dependency anew, with hashes (needs uv)
	$(PIN) --group dev --extra images --extra object-storage --extra queue --upgrade --output-file requirements.lock pyproject.toml
	$(PIN) --constraint requirements.lock --output-file requirements.run.lock pyproject.toml
	$(PIN) --constraint requirements.lock --output-file requirements.service.lock --extra object-storage --extra queue pyproject.toml \
	  && $(PIN) --constraint requirements.lock --output-file requirements.build.lock --group build

wheelhouse: $(STAMP) ## pack pacslake and all it needs into dist/, for machines without internet
	rm -rf $(DIST)/wheelhouse && mkdir -p $(DIST)
	$(PIP) download --require-hashes --only-binary :all: -r requirements.service.lock --dest $(DIST)/wheelhouse
	$(PIP) wheel --no-deps --no-build-isolation --no-index --wheel-dir $(DIST)/wheelhouse .
	cp config/wheelhouse.txt $(DIST)/wheelhouse/README.txt && cd $(DIST)/wheelhouse && sha256sum *.whl > SHA256SUMS
	cd $(DIST)/wheelhouse && PYTHONPATH=$(CURDIR) $(abspath $(BIN))/python -m tests.install.bill_of_materials $(CURDIR)/requirements.service.lock . > pacslake.cdx.json
	tar -C $(DIST) -cf $(DIST)/$$(cd $(DIST)/wheelhouse && echo pacslake-*.whl | cut -d- -f1,2)-$(TAG).tar wheelhouse

bench: $(STAMP) ## measure against findscu, pynetdicom and odil; prints ratios
	@PATH="$(CURDIR)/$(BIN):$$PATH" benchmarks/run

clean: ## remove the virtual environment and what tools leave behind
	rm -rf $(VENV) .mypy_cache .ruff_cache .hypothesis build dist docs/generated docs/made
