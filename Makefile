# `make` prints the verbs below. Each verb first installs what it needs, into .venv.
# A line `verb: ... ## what it does | how to call it` is an entry of that list, a line `## Title` its heading.

RECIPE ?= tabular
ARGS   ?=
RUN    ?=
FILE   ?=
RUNS   ?=
OUT    ?=
DATA   ?= ../shared/data/tabular
FORMAT ?= keras
SPEED  ?=
PYTHON ?= python3

BIN   := .venv/bin
TFKIT := TFKIT_COMMAND=$(BIN)/tfkit $(BIN)/tfkit
PIP   := $(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt
PIP_PROGRESS := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt

# Tests run in two processes; a single file runs in one.
FAST  := not slow and not long
TESTS  = $(if $(FILE),"$(FILE)",-n 2 --dist loadfile) $(ARGS)

.DEFAULT_GOAL := help
.PHONY: help train tune evaluate predict export report compare verify ls show cp \
    test test-slow test-plain test-endurance test-browser lint audit fuzz bench readme docs clean

help:
	@echo 'make VERB [NAME=value ...]'
	@sed -n -e 's/^## \(.*\)/\1/p' -e 's/^\([a-z-]*\):.*## \(.*\) | \(.*\)/\1|\2|\3/p' Makefile | \
	    while IFS='|' read -r verb what example; do \
	        if [ -n "$$what" ]; then printf '  %-15s %s\n  %-15s   %s\n' "$$verb" "$$what" '' "$$example"; \
	        else printf '\n%s\n' "$$verb"; fi; done

## Train and use models

train: $(BIN)/.installed ## train a recipe; print the run directory and the test metrics | make train RECIPE=tabular ARGS="epochs=5"
	@$(TFKIT) train "$(RECIPE)" $(ARGS)

tune: $(BIN)/.installed ## tune the hyperparameters of a recipe | make tune RECIPE=tabular ARGS="--trials 20 --workers 2"
	@$(TFKIT) tune "$(RECIPE)" $(ARGS)

evaluate: $(BIN)/.installed ## compute the metrics of a run on its test rows, or on a file | make evaluate [RUN=runs/...] [FILE=...]
	@$(TFKIT) evaluate $(if $(RUN),"$(RUN)") $(if $(FILE),"$(FILE)") $(ARGS)

predict: $(BIN)/.installed ## predict each row of a file | make predict [RUN=runs/...] FILE=... [OUT=...]
	@$(TFKIT) predict $(if $(RUN),"$(RUN)") $(if $(FILE),"$(FILE)") $(if $(OUT),--out "$(OUT)") $(ARGS)

export: $(BIN)/.installed ## export the model of a run to another format | make export [RUN=runs/...] FORMAT=keras|savedmodel|onnx|litert [OUT=...]
	@$(TFKIT) export $(if $(RUN),"$(RUN)") --format "$(FORMAT)" $(if $(OUT),--out "$(OUT)") $(ARGS)

report: $(BIN)/.installed ## write report.html of a run again | make report [RUN=runs/...] [ARGS="--false-negative-cost 5"]
	@$(TFKIT) report $(if $(RUN),"$(RUN)") $(ARGS)

compare: $(BIN)/.installed ## compare runs in one HTML file | make compare RUNS="runs/a runs/b" [OUT=compare.html]
	@$(TFKIT) compare $(RUNS) $(if $(OUT),--out "$(OUT)") $(ARGS)

## Write recipes

ls: $(BIN)/.installed ## list the recipes, or the runs | make ls [ARGS="runs --sort score"]
	@$(TFKIT) ls $(ARGS)

show: $(BIN)/.installed ## describe a recipe and its settings | make show RECIPE=tabular
	@$(TFKIT) show "$(RECIPE)"

cp: $(BIN)/.installed ## copy a recipe to a file that you can change | make cp RECIPE=tabular OUT=mine.py
	@$(TFKIT) cp "$(RECIPE)" $(if $(OUT),"$(OUT)")

verify: $(BIN)/.installed ## verify that a recipe is reproducible: same seed, resume after a kill, save and load, replicas | make verify RECIPE=mine.py ARGS="data=..."
	@$(TFKIT) verify "$(RECIPE)" $(ARGS)

## Develop tfkit

test: $(BIN)/.installed-dev ## run the fast tests, or those of one file | make test [FILE=tests/test_config.py] [ARGS="-k config"]
	@$(BIN)/python -m pytest -m "$(FAST)" $(TESTS)

test-slow: $(BIN)/.installed-dev ## run the tests that take more than a few seconds each | make test-slow [FILE=tests/...]
	@$(BIN)/python -m pytest -m slow $(TESTS)

test-plain: $(BIN)/.installed-dev ## run the fast tests of training and recipes without fused and sharded steps | make test-plain
	@TFKIT_FUSE_STEPS=0 TFKIT_SHARDED_STEP=0 $(BIN)/python -m pytest -m "$(FAST)" $(if $(FILE),,tests/training tests/integration) $(TESTS)

test-endurance: $(BIN)/.installed-dev ## run the longest tests: many kills, replicas, searches and bad inputs; about an hour | make test-endurance [FILE=tests/...]
	@$(BIN)/python -m pytest -m long $(TESTS)

test-browser: $(BIN)/.installed-dev ## test the reports in a real browser; installs Chromium if it may | make test-browser
	@$(PIP) --editable '.[browser]' || echo 'Playwright could not be installed.' >&2
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
	    { [ "$$(id -u)" = 0 ] && apt-get install -qq -y --no-install-recommends chromium fonts-noto-cjk >/dev/null; } || \
	    echo 'Chromium is missing and could not be installed (Debian and Ubuntu: apt install chromium). Skipped.' >&2
	@$(BIN)/python -m pytest -q tests/reporting/test_browser.py $(ARGS)

lint: $(BIN)/.installed-dev ## check format, style and types with ruff and mypy | make lint
	@$(BIN)/ruff format --check tfkit recipes tests
	@$(BIN)/ruff check tfkit recipes tests
	@$(BIN)/mypy

docs: $(BIN)/.installed ## generate the reference and build the site in build/site; a broken link is an error | make docs
	@test -x $(BIN)/mkdocs || $(PIP) --editable '.[docs]'
	@$(BIN)/python docs/draw_architecture.py
	@$(BIN)/python docs/generate.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo build/site/index.html

bench: $(BIN)/.installed-dev ## measure accuracy and speed, and write the tables of docs/benchmarks.md | make bench [DATA=...] [SPEED="--only mlp"]
	@$(BIN)/python tests/bench/tables.py $(DATA) $(ARGS)
	@$(BIN)/python tests/bench/tables.py --write
	@$(BIN)/python tests/bench/speed.py $(SPEED)
	@$(BIN)/python tests/bench/speed.py --write

readme: $(BIN)/.installed-dev ## write the generated pages and tables again, from the stored measurements | make readme
	@$(BIN)/python docs/generate.py
	@$(BIN)/python docs/reading_table.py
	@$(BIN)/python tests/bench/tables.py --write
	@$(BIN)/python tests/bench/recipe_scores.py
	@$(BIN)/python tests/bench/speed.py --write

audit: $(BIN)/.installed-dev ## search the dependencies for known vulnerabilities with pip-audit; needs the network | make audit
	@$(PIP) pip-audit
	@$(BIN)/pip-audit --strict --local --skip-editable

fuzz: $(BIN)/.installed-dev ## fuzz the table reader with atheris for ten minutes | make fuzz
	@$(PIP) atheris
	@$(BIN)/python tests/robustness/fuzz.py -max_total_time=600 $(ARGS)

clean: ## delete .venv, builds and caches; runs stay | make clean
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache

# Installation

$(BIN)/python:
	@command -v "$(PYTHON)" >/dev/null || { echo 'tfkit needs Python 3.11 or later, and $(PYTHON) does not exist. Give another: make PYTHON=...' >&2; exit 2; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "tfkit needs Python 3.11 or later; $(PYTHON) is $$("$(PYTHON)" --version 2>&1). Give another: make PYTHON=..." >&2; exit 2; }
	@"$(PYTHON)" -m venv .venv || { rm -rf .venv; echo 'The directory .venv could not be created (Debian and Ubuntu: apt install python3-venv)' >&2; exit 2; }

$(BIN)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo 'Installing tfkit and TensorFlow into .venv. This takes about a minute, once.' >&2
	@$(PIP_PROGRESS) --editable . >&2
	@touch $@

$(BIN)/.installed-dev: pyproject.toml constraints.txt | $(BIN)/.installed
	@echo 'Installing the test tools into .venv.' >&2
	@$(PIP) --editable '.[dev]'
	@touch $@
