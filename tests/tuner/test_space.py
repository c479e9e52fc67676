"""Domains of a search: the page's, changed by words; and how Keras Tuner is told of them."""

import pytest

import tfkit
from tfkit.search import Choice, Range
from tfkit.tuner.space import grid, settings, space, told, values

TABULAR = tfkit.load("tabular")


def test_learning_rate_batch_size_and_optimizer_are_in_the_search_of_every_page():
    for name, _ in tfkit.ls():
        assert {"learning_rate", "batch_size", "optimizer"} <= set(space(tfkit.load(name))), name


def test_a_range_in_words_is_in_powers_where_the_pages_is():
    found = space(TABULAR, ["learning_rate=1e-4..1e-2", "dropout=0.1..0.2", "depth=1..2"])
    assert found["learning_rate"] == Range(1e-4, 1e-2, log=True)
    assert found["dropout"] == Range(0.1, 0.2)
    assert found["depth"] == Range(1, 2)
    assert found["depth"].integer


def test_a_choice_in_words_has_the_values_of_the_setting():
    found = space(TABULAR, ["units=32,64", "optimizer=adam,lion"])
    assert found["units"] == Choice((32, 64))
    assert found["optimizer"] == Choice(("adam", "lion"))


def test_domains_as_python_has_them():
    assert space(TABULAR, {"units": [8, 16]})["units"] == Choice((8, 16))


def test_what_is_fixed_is_not_searched():
    assert "depth" not in space(TABULAR, fixed={"depth": 2})


@pytest.mark.parametrize(
    ("asked", "fixed", "message"),
    [
        (["units"], {}, "A domain is written key=low..high or key=one,two. Received: 'units'"),
        (["unit=1,2"], {}, "Unknown setting `unit`. Did you mean 'units'?"),
        (["units=0,64"], {}, "`units` must be an integer >= 1 or auto. Received: units='0'"),
        (["optimizer=adam..lion"], {}, "A range low..high is of numbers"),
        (["units=64..32"], {}, "A range must go from low to high"),
        (["units=32,64"], {"units": 8}, "`units` is either fixed or searched. Received: units=8 and a domain"),
        ((), dict.fromkeys(space(TABULAR), 1), "A search needs a setting that may change"),
    ],
)
def test_what_is_not_understood_is_said(asked, fixed, message):
    with pytest.raises(tfkit.UserError) as error:
        space(TABULAR, asked, fixed)
    assert message in str(error.value)


def test_settings_and_values_of_keras_tuner_are_each_others_inverse():
    where = {"a": Choice(("x", None, True)), "b": Choice((1, 2)), "c": Range(0.5, 1.0), "d": Choice(([1, 2], [3]))}
    for chosen in ({"a": None, "b": 2, "c": 0.75, "d": [3]}, {"a": True, "b": 1, "c": 0.5, "d": [1, 2]}):
        assert settings(where, values(where, chosen)) == chosen


def test_an_oracle_is_told_only_of_what_lies_in_the_space():
    where = {"a": Choice((1, 2)), "b": Range(0.0, 1.0)}
    assert told(where, {"a": 1, "b": 0.5, "other": 3})
    assert not told(where, {"a": 3, "b": 0.5})
    assert not told(where, {"a": 1, "b": 2.0})
    assert not told(where, {"a": 1})


def test_a_grid_begins_with_the_recipe_as_written():
    where = {"a": Range(1, 3), "b": Range(1e-4, 1e-1, log=True), "c": Choice(("x", "y"))}
    found = grid(where, {"a": 2, "b": 0.002, "c": "y"})
    assert found["a"].values == (2, 1, 3)
    assert found["b"].values == (0.002, 1e-4, 1e-3, 1e-2, 1e-1)
    assert found["c"].values == ("y", "x")
