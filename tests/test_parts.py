"""The parts are found by reading, and are those that can be imported."""

import importlib.util
from importlib import import_module
from pathlib import Path

import pytest

import tfkit
from tfkit.cli import main
from tfkit.parts import ROOMS, find_part, listing, parts

HERE = Path(__file__).parent


@pytest.mark.parametrize("room", ROOMS)
def test_what_is_listed_can_be_imported_and_says_what_it_does(room):
    module = import_module(f"tfkit.{room}")
    found = parts(room)
    assert found
    for part in found:
        assert part.line == " ".join(getattr(module, part.name.partition(".")[2]).__doc__.split("\n\n")[0].split())
        assert part.line.endswith(".")
    if hasattr(module, "__all__"):
        assert {part.name.partition(".")[2] for part in found} == set(module.__all__)


def test_a_part_is_found_by_any_of_its_names():
    for word in ("MLP", "layers.MLP", "tfkit.layers.MLP"):
        part = find_part(word)
        assert part.name == "layers.MLP"
        assert part.call.startswith("MLP(units, *, activation='relu', ")
        assert part.words == tfkit.layers.MLP.__doc__.split("\n")[0] + part.words[part.words.index("\n") :]
    assert find_part("optimizer").call.startswith("optimizer(name='adam', *, learning_rate=0.001")
    for word in ("losses.MLP", "layers.", "nothing", "_class_indices"):
        assert find_part(word) is None


def test_show_lists_a_room_and_shows_a_part(capsys):
    assert main(["show", "losses"]) == 0
    assert capsys.readouterr().out.splitlines() == listing("losses")
    assert main(["show", "Pinball"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("tfkit.losses.Pinball(quantile=0.5, name='pinball')\n\nQuantile (pinball) loss")
    assert main(["show", "Pinbal"]) == 2
    assert "No recipe 'Pinbal'" in capsys.readouterr().err


def test_the_readme_lists_every_part():
    """`make readme` writes the list."""
    spec = importlib.util.spec_from_file_location("readme", HERE / "readme.py")
    readme = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(readme)
    if not readme.README.is_file():
        pytest.skip("installed without its README")
    text = readme.README.read_text(encoding="utf-8")
    assert text == readme.written(text)
