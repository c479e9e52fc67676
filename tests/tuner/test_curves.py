"""When a trial is poor among its like."""

import math

import pytest

from tfkit.tuner.curves import best, curve, default_objective, mode_of, poor

# the medians are 1, 0.75, 0.55 and 0.45
OTHERS = [[1.0, 0.8, 0.6, 0.5], [1.0, 0.7, 0.5, 0.4], [1.0, 0.9, 0.7, 0.6], [1.0, 0.6, 0.4, 0.3]]


@pytest.mark.parametrize(
    ("values", "mode", "said"),
    [
        ([1.0, 0.76], "min", True),
        ([1.0, 0.74], "min", False),
        ([1.0, 0.74, 9.0], "min", True),  # its best, 0.74, is worse than 0.55
        ([5.0], "min", False),  # grace: a third of four epochs is two
        ([math.nan, math.nan], "min", True),
        ([1.0, 0.76], "max", False),
        ([0.5, 0.9], "max", True),  # the best of the others is 1
    ],
)
def test_the_median_rule(values, mode, said):
    assert poor(values, OTHERS, mode, epochs=4) is said


def test_three_others_are_too_few():
    assert not poor([9.0, 9.0], OTHERS[:3], "min", epochs=4)


def test_others_that_were_shorter_do_not_count():
    assert not poor([9.0] * 4, [*OTHERS[:3], [1.0]], "min", epochs=4)


def test_a_curve_is_read_while_it_is_written(tmp_path):
    (tmp_path / "journal.jsonl").write_text('{"val_loss": 2.0}\n{"val_loss": null}\n{"val_lo')
    values = curve(tmp_path, "val_loss")
    assert values[0] == 2.0
    assert math.isnan(values[1])
    assert len(values) == 2
    assert best(values, "min") == 2.0
    assert best([math.nan], "min") is None
    assert best([], "max") is None
    assert curve(None, "val_loss") == curve(tmp_path / "nowhere", "val_loss") == []


def test_what_trials_are_compared_by():
    assert default_objective({"task": "binary", "val": {"log_loss": 1, "accuracy": 1}}, "val_loss") == "log_loss"
    assert default_objective({"task": "regression", "val": {"root_mean_squared_error": 1}}, "val_loss") == (
        "root_mean_squared_error"
    )
    assert default_objective({"task": "own", "val": {}}, "val_mood") == "val_mood"


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
def test_directions_that_keras_tuner_infers_wrongly(objective, mode):
    assert mode_of(objective, "val_loss", None) == mode


def test_the_recipe_says_the_direction_of_its_own_monitor():
    assert mode_of("val_mood", "val_mood", "max") == "max"
    assert mode_of("mood", "val_mood", "max") is None
