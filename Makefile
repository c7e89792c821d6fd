# Thin on purpose: every verb is one or two commands that setup.md also gives without make.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

ifneq ($(DLUTILS_DATA),)  # chapters run in a folder of their own
override DLUTILS_DATA := $(abspath $(DLUTILS_DATA))
export DLUTILS_DATA
endif

unexport MPLBACKEND  # of the shell: with Agg, say, JupyterLab would show no figures

.DEFAULT_GOAL := help
.PHONY: help book pdf epub test lab edit student grade strip look access lock bench clean

help:  ## list the verbs
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if (3, 11) <= v <= (3, 13) else "Python 3.11 to 3.13 is needed and %s is %d.%d; try: make PYTHON=python3.12" % (sys.executable, *v))'
	@test -e $@ || $(PYTHON) -m venv --clear $(VENV) || { echo "No virtual environment could be made; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Installing the packages of requirements.lock; the first time, about 0.6 GB are downloaded."
	$(BIN)/python -m pip install --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

book: $(READY)  ## run every chapter that changed and build the website; SOLUTIONS=0: without solutions
	$(BIN)/python -m tools.build.book $(if $(SOLUTIONS),--solutions '$(SOLUTIONS)')

pdf: $(READY)  ## the book as one PDF, and each chapter alone, by Chromium; SOLUTIONS=0: without solutions
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -e '.[look]'
	$(BIN)/python -m tools.build.paper pdf $(if $(SOLUTIONS),--solutions '$(SOLUTIONS)')

epub: $(READY)  ## the book as an EPUB; SOLUTIONS=0: without solutions
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -e '.[look]'
	$(BIN)/python -m tools.build.paper epub $(if $(SOLUTIONS),--solutions '$(SOLUTIONS)')

test: $(READY)  ## lint, format, the package's tests, and every chapter through nbval
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/python -m pytest

# Copies need no extension for MyST, which would number every formula.
lab: $(READY)  ## open copies of the chapters in JupyterLab, to read, run and change
	$(BIN)/python -m tools.build.student --solutions
	JUPYTER_CONFIG_PATH="$(CURDIR)/tools/jupyter" $(BIN)/jupyter lab lab

edit: $(READY)  ## open the chapters themselves in JupyterLab, to write
	$(BIN)/jupyter lab book

student: $(READY)  ## make the notebooks with blanks, to hand out
	$(BIN)/python -m tools.build.student

grade: $(READY)  ## mark a folder of returned notebooks: make grade SUBMISSIONS=folder
	@test -n "$(SUBMISSIONS)" || { echo "Say which folder: make grade SUBMISSIONS=folder"; exit 2; }
	$(BIN)/python -m tools.teach.grade "$(SUBMISSIONS)"

strip: $(READY)  ## run the chapters and bring them to the form that is kept in git
	$(BIN)/python -m tools.build.strip

look: $(READY)  ## open every built page in a browser, and work the live figures: errors, accessibility, screenshots
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -e '.[look]'
	$(BIN)/python -m pytest --quiet --numprocesses=0 tests/test_look.py tests/test_look_live.py tests/test_look_feedback.py tests/test_look_paper.py tests/test_site.py
	$(BIN)/python -m tools.trials.look
	$(BIN)/python -m tools.trials.live
	$(BIN)/python -m tools.trials.find

access: $(READY)  ## open every built page in Chromium and Firefox: narrow, enlarged, by keyboard, without motion
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation -e '.[look]'
	$(BIN)/python -m pytest --quiet --numprocesses=0 tests/test_access.py
	$(BIN)/python -m tools.trials.access

bench: $(READY)  ## the training loop beside what one would otherwise write; QUICK=1, OTHERS=1 (JAX, PyTorch), GROWTH=1
	$(BIN)/python benchmarks/run.py $(if $(QUICK),--quick) $(if $(OTHERS),--others)
	$(if $(GROWTH),$(BIN)/python benchmarks/growth.py $(if $(QUICK),--quick))

lock: $(READY)  ## resolve the requirements again (needs uv)
	uv pip compile --universal --generate-hashes --no-strip-extras --python-version 3.11 --extra book --extra lab --extra test --extra teach --no-emit-package dlutils --custom-compile-command 'make lock' --upgrade --output-file requirements.lock pyproject.toml

clean:  ## remove what was built; the environment and the downloaded data stay
	rm -rf _build .pytest_cache .ruff_cache
