"""Learning curves of trials and the median rule."""

import math

import pytest

import tfkit
from tfkit.tuning.pruning import LOSS_SETTINGS, best_value, default_objective, mode_of, read_curve, should_prune

# the medians of the epochs are 1, 0.75, 0.55 and 0.45
OTHER_CURVES = [[1.0, 0.8, 0.6, 0.5], [1.0, 0.7, 0.5, 0.4], [1.0, 0.9, 0.7, 0.6], [1.0, 0.6, 0.4, 0.3]]


@pytest.mark.parametrize(
    ("values", "mode", "expected"),
    [
        ([1.0, 0.76], "min", True),
        ([1.0, 0.74], "min", False),
        ([1.0, 0.74, 9.0], "min", True),  # its best value, 0.74, is worse than 0.55
        ([5.0], "min", False),  # grace period: a third of four epochs, rounded up to two
        ([math.nan, math.nan], "min", True),
        ([1.0, 0.76], "max", False),
        ([0.5, 0.9], "max", True),  # the best value of the other trials is 1
    ],
)
def test_median_rule(values, mode, expected):
    assert should_prune(values, OTHER_CURVES, mode, epochs=4) is expected


def test_three_compared_trials_are_not_enough():
    assert not should_prune([9.0, 9.0], OTHER_CURVES[:3], "min", epochs=4)


def test_shorter_curves_are_not_compared():
    assert not should_prune([9.0] * 4, [*OTHER_CURVES[:3], [1.0]], "min", epochs=4)


def test_read_curve_of_an_incomplete_file(tmp_path):
    (tmp_path / "history.jsonl").write_text('{"val_loss": 2.0}\n{"val_loss": null}\n{"val_lo')
    values = read_curve(tmp_path, "val_loss")
    assert values[0] == 2.0
    assert math.isnan(values[1])
    assert len(values) == 2
    assert best_value(values, "min") == 2.0
    assert best_value([math.nan], "min") is None
    assert best_value([], "max") is None
    assert read_curve(None, "val_loss") == read_curve(tmp_path / "nowhere", "val_loss") == []


def test_default_objective():
    assert (
        default_objective({"task": "classification", "val": {"log_loss": 1, "accuracy": 1}}, "val_loss") == "log_loss"
    )
    assert default_objective({"task": "regression", "val": {"root_mean_squared_error": 1}}, "val_loss") == (
        "root_mean_squared_error"
    )
    assert default_objective({"task": "custom", "val": {}}, "val_custom") == "val_custom"


@pytest.mark.parametrize(
    ("objective", "mode"),
    [
        ("val_f1_score", "max"),
        ("val_r2_score", "max"),
        ("val_cosine_similarity", "max"),
        ("val_mean_io_u", "max"),
        ("val_PrecisionAtRecall", "max"),
        ("val_auc_1", "max"),
        ("val_fbeta_score", "max"),
        ("log_loss", "min"),
    ],
)
def test_modes_that_keras_tuner_infers_wrongly(objective, mode):
    assert mode_of(objective, "val_loss", None) == mode


def test_recipe_defines_the_mode_of_a_custom_monitor():
    assert mode_of("val_custom", "val_custom", "max") == "max"
    assert mode_of("custom", "val_custom", "max") is None


@pytest.mark.parametrize("name", sorted(LOSS_SETTINGS))
def test_settings_of_the_loss_are_settings_of_recipes(name):
    assert any(name in tfkit.load_recipe(recipe).Config.model_fields for recipe, _ in tfkit.list_recipes())


def test_every_setting_of_a_recipe_that_names_the_loss_is_known():
    """Curves of trials with different losses cannot be compared."""
    fields = {field for recipe, _ in tfkit.list_recipes() for field in tfkit.load_recipe(recipe).Config.model_fields}
    loss_fields = {field for field in fields if field.startswith(("loss", "quantile", "balance_", "class_weight"))}
    assert loss_fields <= LOSS_SETTINGS
