"""Tests that commands, settings and links in the documentation exist."""

import functools
import re
import shlex
from pathlib import Path

import pytest

import tfkit
from tfkit.catalog.recipe_docs import CONFIG_FILE, read_settings_of
from tfkit.catalog.recipes import recipe_files

ROOT = Path(tfkit.__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
COMMANDS = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tfkit" / "cli").glob("*.py"))
FLAGS = set(re.findall(r"--[a-z][a-z-]+", COMMANDS)) | {"--help", "--version", "--debug"}
VERBS = {"ls", "show", "cp", "train", "tune", "evaluate", "predict", "export", "report", "compare", "verify"}
OWN_RECIPES = {"churn.py", "mine.py"}  # copies of `tabular` in the text
ANY_RECIPE = {"RECIPE", "runs"}


def name_of(file):
    return str(file.relative_to(ROOT))


@functools.cache
def settings_of(recipe):
    """Names of the settings of a recipe; of all recipes if the text does not name one of tfkit."""
    files = recipe_files()
    names = ["tabular"] if recipe in OWN_RECIPES else [recipe] if recipe in files else list(files)
    return {key for path in [CONFIG_FILE, *(files[name] for name in names)] for key in read_settings_of(path)}


def commands(document):
    """Every command of tfkit in the shell blocks and in the code spans of a document, split into arguments."""
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()] + re.findall(r"`(tfkit [^`\n]+)`", text)
    for line in lines:
        for part in re.split(r"&&|;", line):
            arguments = shlex.split(part, comments=True)
            if arguments and arguments[0] == "tfkit":
                yield arguments[1:]
            elif arguments and arguments[0] == "make" and any(item.startswith("ARGS=") for item in arguments):
                named = dict(item.split("=", 1) for item in arguments[2:])
                yield [arguments[1], named.get("RECIPE", "tabular"), *shlex.split(named["ARGS"])]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_commands_exist(document):
    for verb, *arguments in commands(document):
        if verb.startswith("--") or "|" in verb:
            continue
        assert verb in VERBS
        flags = {argument.partition("=")[0] for argument in arguments if argument.startswith("--")}
        assert flags <= FLAGS, f"tfkit {verb}: unknown flags {flags - FLAGS}"
        if verb in {"train", "tune", "verify"}:
            recipe = arguments[0] if arguments else "RECIPE"
            searched = {
                argument for before, argument in zip(arguments, arguments[1:], strict=False) if before == "--search"
            }
            keys = {argument.partition("=")[0] for argument in arguments[1:] if re.match(r"[a-z_]+=", argument)}
            keys |= {domain.partition("=")[0] for domain in searched}
            unknown = keys - settings_of(recipe)
            assert not unknown, f"tfkit {verb} {recipe}: unknown settings {unknown}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_settings_in_the_text_exist(document):
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    keys = {key for span in re.findall(r"`([a-z_]+=[^`\n]*)`", text) for key in re.findall(r"(?:^| )([a-z_]+)=", span)}
    arguments = {
        "key",
        "padded_axis",
        "reader",
        "fuse_steps",
        "jit_compile",
        "dtype",
        "allow_pickle",
        "package",
    }  # in Python
    if document.name not in {"reference.md", "CHANGELOG.md", "CONTRIBUTING.md"}:
        unknown = keys - settings_of("RECIPE") - arguments
        assert not unknown


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_linked_files_exist(document):
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path = target.partition("#")[0]
        if path and not re.match(r"[a-z]+:", path):
            assert (document.parent / path).exists(), f"no such file: {target}"
