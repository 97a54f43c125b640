# make study    the laptop study and its report, results/laptop/report.html
# make test     the tests
# make bench    the engines against the reference and against the machine, a table of ratios (some minutes)
# make lint     what the continuous integration checks besides
# make lock     the lock files anew, with the newest versions that pyproject.toml allows
#
# PYTHON=python3.12             another interpreter (3.11 or newer)
# TORCH_INDEX=URL               where to take torch from: README, "Which torch"
# PYTHIA=no                     without Pythia and FastJet, where they have no wheels
# STUDY=config/studies/x.yaml   another study

PYTHON ?= python3
VENV ?= .venv
STUDY ?= config/config.yaml
PYTHIA ?= yes
TORCH_INDEX ?=

BIN := $(VENV)/bin
LOCK := $(if $(filter yes,$(PYTHIA)),requirements/pythia.txt,requirements/study.txt)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
INDEX := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

.PHONY: study test bench lint lock clean

study: $(VENV)/installed
	$(BIN)/baler-energy study --configfile $(STUDY)

test: $(VENV)/installed-test
	$(BIN)/python -m pytest

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

lock:
	sh requirements/lock.sh

clean:
	rm -rf $(VENV)
