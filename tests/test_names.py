"""Tests that names are standard terms, and that only tasks know the task: read from the source."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

import tfkit

ROOT = Path(tfkit.__file__).resolve().parents[1]
FILES = sorted(file for folder in ("tfkit", "recipes", "tests") for file in (ROOT / folder).rglob("*.py"))

# Names that were used in a private sense, and must not come back; what they meant is in docs/glossary.md.
PRIVATE_NAMES = set(
    """
    told said says say saying found known kept made held holds holding one other others some few many each both here
    there word words spoken written called truth truths answer answers place places stamps ticks piece pieces room rooms
    lying lies whole page pages house door walk drawn honest twin twins suspects doubt doubts doubted crown mend mended
    learnt voice beside slopes busy agreed given asked wanted seen again anew everything nothing anyway alike
    """.split()
)
PRIVATE_KEYS = PRIVATE_NAMES - {"words", "both"} | {"of", "does", "why", "called_with", "about"}  # of JSON files
TARGET_FILES = (  # that may ask for the classes of a target
    "tfkit/metadata.py",
    "tfkit/tasks/",
    "tfkit/data/columns/targets/",
    "tfkit/data/columns/labels.py",
    "tfkit/export/preprocessing_spec.py",  # writes them
    "tfkit/reporting/run_results.py",  # reads them for the sections of tasks
    "tfkit/reporting/sections/classification.py",
    "tfkit/reporting/sections/thresholds.py",
)
LIBRARY_NAMES = {("tests/robustness/test_strategies.py", "given")}  # of hypothesis


def name_of(file):
    return str(file.relative_to(ROOT))


def bound_names(tree):
    """Every name that a file defines or assigns, and every keyword that it passes, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id, node.lineno
        elif isinstance(node, ast.arg) or (isinstance(node, ast.keyword) and node.arg):
            yield node.arg, node.lineno
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, node.lineno
        elif isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load):
            yield node.attr, node.lineno


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_names_are_not_private_words(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    wrong = sorted(
        {
            f"{name} (line {line})"
            for name, line in bound_names(tree)
            if name.strip("_").lower() in PRIVATE_NAMES and (name_of(file), name) not in LIBRARY_NAMES
        }
    )
    assert not wrong, f"use the term of Keras, scikit-learn or a textbook for: {', '.join(wrong)}"


@pytest.mark.parametrize("file", [file for file in FILES if file.is_relative_to(ROOT / "tfkit")], ids=name_of)
def test_keys_are_not_private_words(file):
    tree = ast.parse(file.read_text(encoding="utf-8"))
    keys = [key for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys]
    wrong = [f"{key.value} (line {key.lineno})" for key in keys if getattr(key, "value", None) in PRIVATE_KEYS]
    assert not wrong, f"use the term of Keras, scikit-learn or a textbook for: {', '.join(wrong)}"


@pytest.mark.parametrize("file", [file for file in FILES if file.is_relative_to(ROOT / "tfkit")], ids=name_of)
def test_only_tasks_ask_for_classes(file):
    """A target may have classes, tags or neither; tfkit.tasks and the module of its encoding know which."""
    if name_of(file).startswith(TARGET_FILES):
        return
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        is_question = isinstance(node, ast.Attribute) and (
            node.attr == "is_binary" or (node.attr == "classes" and ast.unparse(node.value).endswith("target"))
        )
        assert not is_question, f"line {node.lineno}: {ast.unparse(node)}; ask tfkit.tasks"


@pytest.mark.parametrize("file", [file for file in FILES if file.is_relative_to(ROOT / "tfkit")], ids=name_of)
def test_only_tasks_compare_the_task(file):
    """A new task must be a new module in tfkit/tasks, and no edit elsewhere."""
    if file.is_relative_to(ROOT / "tfkit" / "tasks"):
        return
    tasks = {path.stem for path in (ROOT / "tfkit" / "tasks").glob("*.py")}
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare):
            sides = [ast.unparse(side) for side in (node.left, *node.comparators)]
            compares_task = any(side == "task" or side.endswith((".task", "['task']")) for side in sides)
            names_task = any(name in side for name in tasks for side in sides if side.startswith(("'", "(", "{", "[")))
            assert not (compares_task and names_task), f"line {node.lineno}: {ast.unparse(node)}; ask tfkit.tasks"


def test_extras_in_messages_and_docs_are_of_this_distribution():
    """`tfkit` on the package index is another project: its extras must not be installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    files = [*FILES, ROOT / "pyproject.toml", ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    commands = [
        (name_of(file), name, extra)
        for file in files
        for name, extra in re.findall(r"pip install ['\"]([\w-]+)\[([\w,{}]+)\]", file.read_text(encoding="utf-8"))
    ]
    assert len(commands) >= 5
    for file, name, extra in commands:
        assert name == project["name"], file
        assert extra == "{format}" or extra in project["optional-dependencies"], file
