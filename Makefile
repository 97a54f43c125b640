# make install  the environment in .venv, without a study
# make study    the laptop study and its report, results/laptop/report.html
# make test     the everyday tests, in four processes (about ten minutes on two cores)
# make test-long    whole studies, interrupted runs, a process for each variant
# make test-all     all of these and the slow ones: studies as users run them, every profiler (half an hour)
# make test-slurm   those on a real SLURM, which they install (apt), start on this machine and stop: as root, 6 minutes
# make coverage    the everyday tests, and how much of src they run (without the processes that they start)
# make bench    the engines against the reference and against the machine, a table of ratios (some minutes)
# make lint     the other checks of the continuous integration: style, types, format
# make upstream Baler itself, for `engine: upstream`, in a separate environment (docs/engines.md)
# make lock     rewrites the lock files with the newest versions that pyproject.toml allows
#
# PYTHON=python3.12             another interpreter (3.11 or newer)
# TORCH_INDEX=URL               where to take torch from: README, "Which torch"
# PYTHIA=no                     without Pythia and FastJet, where they have no wheels
# STUDY=config/studies/x.yaml   another study
# TEST_PROCESSES=8              that run the tests; more than the cores, as tests also wait
# UPSTREAM_PYTHON=python3.11    a Python 3.11 for `make upstream`: Baler's NumPy has no wheel for a newer one
# BALER_SOURCE=URL-or-folder    where `make upstream` takes Baler from: a git URL or a local clone, also a bare one

PYTHON ?= python3
VENV ?= .venv
STUDY ?= config/config.yaml
PYTHIA ?= yes
TORCH_INDEX ?=
TEST_PROCESSES ?= 4
UPSTREAM_PYTHON ?= python3.11
UPSTREAM_VENV ?= .venv-upstream
BALER_SOURCE ?= https://github.com/baler-collaboration/baler
BALER_COMMIT := be8f0c0892340a79e7d9c5f47f96f7f66a72dcd6

BIN := $(VENV)/bin
LOCK := $(if $(filter yes,$(PYTHIA)),requirements/pythia.txt,requirements/study.txt)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
INDEX := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

# Compiled modules are kept, since tests start hundreds of processes.
unexport PYTHONDONTWRITEBYTECODE

# Tests of one file stay in one process, in the order that tests/conftest.py gives them.
PARALLEL := --numprocesses=$(TEST_PROCESSES) --dist=loadfile --no-loadscope-reorder

UPSTREAM_PIP := $(UPSTREAM_VENV)/bin/python -m pip install --quiet --disable-pip-version-check

.PHONY: install study test coverage test-long test-all test-slurm bench lint upstream lock clean

study: $(VENV)/installed
	$(BIN)/baler-energy study --configfile $(STUDY)

install: $(VENV)/installed

test: $(VENV)/installed-test
	$(BIN)/python -m pytest $(PARALLEL) --durations=25

coverage: $(VENV)/installed-test
	$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term

test-long: $(VENV)/installed-test
	$(BIN)/python -m pytest $(PARALLEL) --durations=25 -m "long and not slow"

test-all: $(VENV)/installed-test
	$(BIN)/python -m pytest $(PARALLEL) --durations=25 -m ""

test-slurm: $(VENV)/installed-test
	$(BIN)/python -m pytest tests/workflow/cluster

bench: $(VENV)/installed-test
	$(BIN)/python -m pytest benchmarks --benchmark-columns=median,iqr,rounds --benchmark-sort=name

lint: $(VENV)/installed-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow

$(VENV)/installed: $(LOCK) pyproject.toml
	$(PYTHON) -m venv $(VENV)
	@echo "Installing $(LOCK) into $(VENV) (some minutes the first time)"
	$(PIP) $(INDEX) -r $(LOCK)
	$(PIP) --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/installed-test: $(VENV)/installed requirements/test.txt
	$(PIP) $(INDEX) -r requirements/test.txt
	touch $@

upstream: $(UPSTREAM_VENV)/installed-$(BALER_COMMIT)

$(UPSTREAM_VENV)/installed-$(BALER_COMMIT): requirements/upstream.txt
	@$(UPSTREAM_PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "make upstream needs \
	Python 3.11, since NumPy 1.23.5, which Baler pins, has no wheel for newer ones; $(UPSTREAM_PYTHON) is another version. \
	Install Python 3.11 and set UPSTREAM_PYTHON to it."; exit 1; } >&2
	$(UPSTREAM_PYTHON) -m venv --clear $(UPSTREAM_VENV)
	@echo "Installing requirements/upstream.txt into $(UPSTREAM_VENV) (some minutes the first time)"
	$(UPSTREAM_PIP) $(INDEX) -r requirements/upstream.txt
	@sh requirements/baler.sh "$(BALER_SOURCE)" $(BALER_COMMIT) $(UPSTREAM_VENV)/bin/python || { echo "Baler could not \
	be installed from $(BALER_SOURCE). Set BALER_SOURCE to another git URL or a local clone."; exit 1; } >&2
	touch $@

lock:
	sh requirements/lock.sh

clean:
	rm -rf $(VENV) $(UPSTREAM_VENV)
