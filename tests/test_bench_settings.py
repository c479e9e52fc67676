"""Benchmarks pass only settings of the recipes: read from the source, not run."""

import ast
import re
from pathlib import Path

import pytest

import tfkit

FILES = sorted((Path(__file__).parent / "bench").glob("*.py"))


def constant_settings(tree):
    """Constants such as `"architecture=mlp"`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and re.fullmatch(r"[a-z_0-9]+=[a-z_0-9.]+", str(node.value)):
            yield node.value


def accepts(recipe, setting):
    name, _, value = setting.partition("=")
    config = tfkit.load_recipe(recipe).Config
    if name not in config.model_fields:
        return False
    try:
        config.from_dict({name: value})
    except tfkit.UserError as error:  # a setting that needs another one is one of the recipe
        return f"{name}=" not in str(error).partition("Received")[2]
    return True


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_settings_of_benchmarks_are_settings_of_a_recipe(file):
    recipes = [name for name, _ in tfkit.list_recipes()]
    settings = set(constant_settings(ast.parse(file.read_text(encoding="utf-8"))))
    wrong = {setting for setting in settings if not any(accepts(recipe, setting) for recipe in recipes)}
    assert not wrong


@pytest.mark.parametrize(
    "setting", ["body=mlp", "architecture=residual", "architecture=convolution", "head=softmax", "epochs=none_of_them"]
)
def test_old_settings_are_refused(setting):
    assert not any(accepts(recipe, setting) for recipe, _ in tfkit.list_recipes())
