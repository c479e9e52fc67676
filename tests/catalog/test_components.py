"""The catalog of components, read from source, matches what can be imported."""

from importlib import import_module

import pytest

import tfkit
from tfkit.catalog.components import COMPONENT_PACKAGES, find_component, format_components, list_components
from tfkit.cli.main import main


@pytest.mark.parametrize("package", COMPONENT_PACKAGES)
def test_listed_components_can_be_imported_and_are_documented(package):
    module = import_module(f"tfkit.{package}")
    components = list_components(package)
    assert components
    for component in components:
        docstring = getattr(module, component.name.partition(".")[2]).__doc__
        assert component.line == " ".join(docstring.split("\n\n")[0].split())
        assert component.line.endswith(".")
    if hasattr(module, "__all__"):
        assert {component.name.partition(".")[2] for component in components} == set(module.__all__)


def test_a_component_is_found_by_any_of_its_names():
    for name in ("MLP", "layers.MLP", "tfkit.layers.MLP"):
        component = find_component(name)
        assert component.name == "layers.MLP"
        assert component.signature.startswith("MLP(units, *, activation='relu', ")
        first_line, newline, _ = component.docstring.partition("\n")
        assert newline
        assert first_line == tfkit.layers.MLP.__doc__.split("\n")[0]
    assert find_component("make_optimizer").signature.startswith("make_optimizer(name='adam', *, learning_rate=0.001")
    for name in ("losses.MLP", "layers.", "nothing", "_class_indices"):
        assert find_component(name) is None


def test_show_lists_a_package_and_shows_a_component(capsys):
    assert main(["show", "losses"]) == 0
    assert capsys.readouterr().out.splitlines() == format_components("losses")
    assert main(["show", "QuantileLoss"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("tfkit.losses.QuantileLoss(quantile=0.5, name='pinball')\n\nQuantile (pinball) loss")
    assert main(["show", "Pinbal"]) == 2
    assert "No recipe 'Pinbal'" in capsys.readouterr().err
