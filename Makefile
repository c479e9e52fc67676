# The verbs. `make` alone prints them; every one sets up what it needs.

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
TFKIT := $(BIN)/tfkit
PIP   := $(BIN)/python -m pip install -qq --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help train tune evaluate predict export report compare check ls show cp test test-slow test-long test-browser bench readme audit fuzz lint docs clean

help:
	@echo 'make VERB [NAME=value ...]'
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\) | \(.*\)/\1|\2|\3/p' Makefile | \
	    while IFS='|' read -r verb what names; do printf '  %-10s %s\n  %-10s   %s\n' "$$verb" "$$what" '' "$$names"; done

train: $(BIN)/.installed ## train a recipe, say where the run lies and what it scored | make train RECIPE=tabular ARGS="epochs=5"
	@$(TFKIT) train "$(RECIPE)" $(ARGS)

tune: $(BIN)/.installed ## search the settings of a recipe | make tune RECIPE=tabular ARGS="--trials 20 --workers 2"
	@$(TFKIT) tune "$(RECIPE)" $(ARGS)

evaluate: $(BIN)/.installed ## score a run on its test rows, or on a file | make evaluate [RUN=runs/...] [FILE=...]
	@$(TFKIT) evaluate $(if $(RUN),"$(RUN)") $(if $(FILE),"$(FILE)") $(ARGS)

predict: $(BIN)/.installed ## predict every row of a file | make predict [RUN=runs/...] FILE=... [OUT=...]
	@$(TFKIT) predict $(if $(RUN),"$(RUN)") $(if $(FILE),"$(FILE)") $(if $(OUT),--out "$(OUT)") $(ARGS)

export: $(BIN)/.installed ## write a run's model in another format | make export [RUN=runs/...] FORMAT=keras|savedmodel|onnx|litert [OUT=...]
	@$(TFKIT) export $(if $(RUN),"$(RUN)") --format "$(FORMAT)" $(if $(OUT),--out "$(OUT)") $(ARGS)

report: $(BIN)/.installed ## make a run's report.html again | make report [RUN=runs/...] [ARGS="--false-negative-cost 5"]
	@$(TFKIT) report $(if $(RUN),"$(RUN)") $(ARGS)

compare: $(BIN)/.installed ## compare runs on one page | make compare RUNS="runs/a runs/b" [OUT=compare.html]
	@$(TFKIT) compare $(RUNS) $(if $(OUT),--out "$(OUT)") $(ARGS)

check: $(BIN)/.installed ## prove of a page what holds for tfkit's own: same bits, killed equals straight, saved equals loaded | make check RECIPE=mine.py ARGS="table=..."
	@$(TFKIT) check "$(RECIPE)" $(ARGS)

ls: $(BIN)/.installed ## list the recipes, or the runs | make ls [ARGS="runs --sort score"]
	@$(TFKIT) ls $(ARGS)

show: $(BIN)/.installed ## show what a recipe does and its settings | make show RECIPE=tabular
	@$(TFKIT) show "$(RECIPE)"

cp: $(BIN)/.installed ## copy a recipe's page to a file of your own | make cp RECIPE=tabular OUT=mine.py
	@$(TFKIT) cp "$(RECIPE)" $(if $(OUT),"$(OUT)")

test: $(BIN)/.installed-dev ## the tests, in a few minutes | make test [ARGS="-k config"]
	@$(BIN)/python -m pytest -m "not slow and not long" -n 2 --dist loadfile $(ARGS)

bench: $(BIN)/.installed-dev ## measure the recipes and the speed, and write the tables of the README | make bench [DATA=...] [SPEED="--only mlp"]
	@$(BIN)/python tests/bench/tables.py $(DATA) $(ARGS)
	@$(BIN)/python tests/bench/tables.py --write
	@$(BIN)/python tests/bench/speed.py $(SPEED)
	@$(BIN)/python tests/bench/speed.py --write

readme: $(BIN)/.installed-dev ## write the list of parts and the results of the README anew, from what was measured | make readme
	@$(BIN)/python docs/generate.py
	@$(BIN)/python tests/bench/tables.py --write
	@$(BIN)/python tests/bench/pages.py
	@$(BIN)/python tests/bench/speed.py --write

test-slow: $(BIN)/.installed-dev ## the tests that take longer | make test-slow
	@$(BIN)/python -m pytest -m slow -n 2 --dist loadfile $(ARGS)

test-browser: $(BIN)/.installed-dev ## the reports in a real browser; installs Chromium where it may | make test-browser
	@$(PIP) --editable '.[browser]' || echo 'Playwright could not be installed.' >&2
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
	    { [ "$$(id -u)" = 0 ] && apt-get install -qq -y --no-install-recommends chromium fonts-noto-cjk >/dev/null; } || \
	    echo 'There is no Chromium, and none could be installed (on Debian and Ubuntu: apt install chromium): skipped.' >&2
	@$(BIN)/python -m pytest -q tests/reporting/test_browser.py $(ARGS)

audit: $(BIN)/.installed-dev ## look the dependencies up in the lists of known weaknesses (pip-audit; needs the network) | make audit
	@$(PIP) pip-audit
	@$(BIN)/pip-audit --strict --local --skip-editable

fuzz: $(BIN)/.installed-dev ## bytes by chance into the table reader, guided by what they reach (atheris); ten minutes | make fuzz
	@$(PIP) atheris
	@$(BIN)/python tests/robustness/fuzz.py -max_total_time=600 $(ARGS)

test-long: $(BIN)/.installed-dev ## kills, replicas, searches, hostile input by the hundred: about an hour | make test-long
	@$(BIN)/python -m pytest -m long -n 2 --dist loadfile $(ARGS)

lint: $(BIN)/.installed-dev ## ruff and mypy | make lint
	@$(BIN)/ruff format --check tfkit recipes tests
	@$(BIN)/ruff check tfkit recipes tests
	@$(BIN)/mypy

docs: $(BIN)/.installed ## generate the reference and build the site into build/site; a broken link is an error | make docs
	@test -x $(BIN)/mkdocs || $(PIP) --editable '.[docs]'
	@$(BIN)/python docs/draw_architecture.py
	@$(BIN)/python docs/generate.py
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo build/site/index.html

clean: ## take away .venv and what tools left behind; runs stay | make clean
	rm -rf .venv build dist .mypy_cache .pytest_cache .ruff_cache

$(BIN)/python:
	@command -v "$(PYTHON)" >/dev/null || { echo 'tfkit needs Python 3.11 or later; there is no $(PYTHON). Name another: make PYTHON=...' >&2; exit 2; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "tfkit needs Python 3.11 or later; $(PYTHON) is $$("$(PYTHON)" --version 2>&1). Name another: make PYTHON=..." >&2; exit 2; }
	@"$(PYTHON)" -m venv .venv || { rm -rf .venv; echo 'No .venv could be made; on Debian and Ubuntu: apt install python3-venv' >&2; exit 2; }

$(BIN)/.installed: pyproject.toml | $(BIN)/python
	@echo 'Installing tfkit with TensorFlow into .venv; this takes about a minute, once.' >&2
	@$(PIP) --editable .
	@touch $@

$(BIN)/.installed-dev: pyproject.toml | $(BIN)/.installed
	@echo 'Installing the tools for testing into .venv.' >&2
	@$(PIP) --editable '.[dev]'
	@touch $@
