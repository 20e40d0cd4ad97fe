# Everything here works in a fresh clone: each target makes the environment that it needs, in .venv.
# `make demo` and `make install` need no root; `make test` installs Debian's browser and broker when they are missing.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
SOURCES := pyproject.toml hatch_build.py $(shell git ls-files dashboard 2>/dev/null || find dashboard -type f -not -path '*/node_modules/*')

.PHONY: demo install test lint unit browser bench score allkinds ledger clean

demo: install  ## an accelerated night at a simulated estate, with the dashboard (SPEED=1 for real time)
	@exec $(BIN)/patrol-gateway demo $(if $(SPEED),--speed $(SPEED)) $(DEMO_ARGS)

install: $(STAMPS)/install  ## patrol-gateway and checkpoint-firmware-sim in .venv

test: $(STAMPS)/test  ## what CI runs: formatting, types, and all tests with real peers
	@PATH="$(CURDIR)/$(BIN):$$PATH" deploy/dev/test.sh $(TEST_ARGS)

bench: $(STAMPS)/test  ## the benchmark tables, and bench.json (QUICK=1: under 2 minutes)
	@PATH="$(CURDIR)/$(BIN):$$PATH" QUICK=$(QUICK) $(BIN)/python -m tests.benchmarks

score: $(STAMPS)/test  ## bad nights in simulated time, scored against the truth (NIGHTS=300 SEED=1)
	@NIGHTS=$(NIGHTS) SEED=$(SEED) $(BIN)/python -m tests.score

allkinds: $(STAMPS)/test  ## a night with devices of every kind over lines and MQTT, scored; 17 minutes (QUICK=1: one)
	@$(BIN)/python -m tests.score.allkinds $(if $(QUICK),allkinds-short) $(if $(SPEED),--speed $(SPEED))

ledger: $(STAMPS)/test  ## 24 hours at the gates, balanced against the truth (PASSAGES=5000 DAYS=1 SEED=1)
	@PASSAGES=$(PASSAGES) DAYS=$(DAYS) SEED=$(SEED) $(BIN)/python -m tests.score.gates

clean:  ## remove everything that was made here
	rm -rf $(VENV) gateway/_dashboard dashboard/node_modules dashboard/dist

$(STAMPS)/venv:
	@deploy/dev/make-venv.sh "$(PYTHON)" $(VENV)
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/install: $(STAMPS)/venv $(SOURCES)
	@echo "Installing Patrol Gateway and building its dashboard (half a minute the first time) ..."
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on -v -e . 2>&1 | deploy/dev/progress.sh
	@touch $@

$(STAMPS)/test: $(STAMPS)/install pyproject.toml deploy/dev/debian-packages.txt
	@echo "Installing what the tests need ..."
	@$(BIN)/python -m pip install --disable-pip-version-check -q --group test
	@deploy/dev/debian.sh
	@touch $@
