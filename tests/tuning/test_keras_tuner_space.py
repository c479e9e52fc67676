"""Search spaces: domains of the recipe, overrides, and conversion for Keras Tuner."""

import pytest

import tfkit
from tfkit.search_space import Choice, Range
from tfkit.tuning.keras_tuner_space import in_space, make_search_space, to_grid, to_keras_tuner_values, to_settings

TABULAR = tfkit.load_recipe("tabular")


def test_every_recipe_searches_learning_rate_batch_size_and_optimizer():
    for name, _ in tfkit.list_recipes():
        assert {"learning_rate", "batch_size", "optimizer"} <= set(make_search_space(tfkit.load_recipe(name))), name


def test_range_override_is_logarithmic_if_the_domain_of_the_recipe_is():
    space = make_search_space(TABULAR, ["learning_rate=1e-4..1e-2", "dropout=0.1..0.2", "num_layers=1..2"])
    assert space["learning_rate"] == Range(1e-4, 1e-2, log=True)
    assert space["dropout"] == Range(0.1, 0.2)
    assert space["num_layers"] == Range(1, 2)
    assert space["num_layers"].integer


def test_choice_override_is_parsed_by_the_setting():
    space = make_search_space(TABULAR, ["units=32,64", "optimizer=adam,lion"])
    assert space["units"] == Choice((32, 64))
    assert space["optimizer"] == Choice(("adam", "lion"))


def test_override_with_python_values():
    assert make_search_space(TABULAR, {"units": [8, 16]})["units"] == Choice((8, 16))


def test_fixed_settings_are_not_searched():
    assert "num_layers" not in make_search_space(TABULAR, fixed={"num_layers": 2})


@pytest.mark.parametrize(
    ("overrides", "fixed", "message"),
    [
        (["units"], {}, "A domain must have the form key=low..high or key=value1,value2. Received: 'units'"),
        (["unit=1,2"], {}, "Unknown setting `unit`. Did you mean 'units'?"),
        (["units=0,64"], {}, "`units` must be an integer >= 1 or auto. Received: units='0'"),
        (["optimizer=adam..lion"], {}, "A range low..high must have numbers as ends"),
        (["units=64..32"], {}, "A range must go from low to high"),
        (["units=32,64"], {"units": 8}, "`units` must be either fixed or searched. Received: units=8 and a domain"),
        ((), dict.fromkeys(make_search_space(TABULAR), 1), "A search needs at least one setting that is not fixed"),
    ],
)
def test_invalid_domains_raise(overrides, fixed, message):
    with pytest.raises(tfkit.UserError) as error:
        make_search_space(TABULAR, overrides, fixed)
    assert message in str(error.value)


def test_conversion_for_keras_tuner_is_invertible():
    space = {"a": Choice(("x", None, True)), "b": Choice((1, 2)), "c": Range(0.5, 1.0), "d": Choice(([1, 2], [3]))}
    for settings in ({"a": None, "b": 2, "c": 0.75, "d": [3]}, {"a": True, "b": 1, "c": 0.5, "d": [1, 2]}):
        assert to_settings(space, to_keras_tuner_values(space, settings)) == settings


def test_settings_inside_and_outside_the_space():
    space = {"a": Choice((1, 2)), "b": Range(0.0, 1.0)}
    assert in_space(space, {"a": 1, "b": 0.5, "c": 3})
    assert not in_space(space, {"a": 3, "b": 0.5})
    assert not in_space(space, {"a": 1, "b": 2.0})
    assert not in_space(space, {"a": 1})


def test_grid_starts_with_the_default_settings():
    space = {"a": Range(1, 3), "b": Range(1e-4, 1e-1, log=True), "c": Choice(("x", "y"))}
    points = to_grid(space, {"a": 2, "b": 0.002, "c": "y"})
    assert points["a"].values == (2, 1, 3)
    assert points["b"].values == (0.002, 1e-4, 1e-3, 1e-2, 1e-1)
    assert points["c"].values == ("y", "x")
