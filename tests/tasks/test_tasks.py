"""Tests of the losses and postprocessors of tasks, and of the data that recipes assemble."""

import numpy as np
import pytest

from tfkit.datasets.array import ArrayDataset
from tfkit.errors import UserError
from tfkit.evaluation.scoring import compute_metrics
from tfkit.metadata import Metadata, Target
from tfkit.metrics import direction
from tfkit.tasks import balance_classes, get_task, make_loss, task_names, validate_loss

CLASSES = Metadata(target=Target(name="y", task="classification", classes=["no", "yes"]))
NUMBER = Metadata(target=Target(name="y", task="regression", mean=100.0, scale=10.0))


def test_predictions_are_in_original_units():
    logits = np.array([[0.0, np.log(3)]], "float32")
    np.testing.assert_allclose(
        get_task("classification").make_postprocessor(CLASSES)(logits), [[0.25, 0.75]], rtol=1e-6
    )
    np.testing.assert_allclose(
        get_task("regression").make_postprocessor(NUMBER)(np.array([[-1.5]], "float32")), [[85.0]]
    )


def test_loss_fits_the_target():
    assert validate_loss("auto", CLASSES.target) == "cross_entropy"
    assert validate_loss("auto", NUMBER.target) == "mse"
    for name, metadata in (
        ("cross_entropy", CLASSES),
        ("label_smoothing", CLASSES),
        ("focal", CLASSES),
        ("mse", NUMBER),
    ):
        assert validate_loss(name, metadata.target) == name
        assert make_loss(name, metadata).name
    y_true, y_pred = np.array([[3.0]], "float32"), np.array([[1.0]], "float32")
    number = NUMBER.model_copy(update={"target": NUMBER.target.model_copy(update={"quantile": 0.9})})
    losses = {name: float(make_loss(name, number)(y_true, y_pred)) for name in ("mse", "mae", "huber", "quantile")}
    assert losses == pytest.approx({"mse": 4, "mae": 2, "huber": 1.5, "quantile": 1.8})


@pytest.mark.parametrize(
    ("name", "metadata", "quantile", "message"),
    [
        (
            "mse",
            CLASSES,
            0.5,
            "with task=classification it can be cross_entropy, label_smoothing, focal. Received: loss=mse, target 'y'",
        ),
        ("focal", NUMBER, 0.5, "with task=regression it can be mse, mae, huber, quantile. Received"),
        ("quantile", NUMBER, 0.0, "above 0 and below 1. Received: quantile=0.0"),
    ],
)
def test_loss_that_does_not_fit_is_rejected(name, metadata, quantile, message):
    with pytest.raises(UserError, match=message):
        validate_loss(name, metadata.target, quantile=quantile)


def test_balanced_classes_have_classes_equal_total_weight():
    rows = balance_classes(ArrayDataset(np.zeros((4, 1)), np.array([0, 0, 0, 1])), CLASSES)
    _, y, weight = rows.arrays
    assert [weight[y == code].sum() for code in (0, 1)] == pytest.approx([2, 2])
    with pytest.raises(UserError, match=r"`balance_classes` needs a target of classes\. Received: y, task regression"):
        balance_classes(rows, NUMBER)


def test_every_metric_of_a_task_has_a_direction():
    y_class, p_class = np.array([0, 1, 1, 0]), np.array([[0.7, 0.3], [0.4, 0.6], [0.6, 0.4], [0.8, 0.2]])
    y_number, p_number = np.array([1.0, 2.0, 4.0]), np.array([1.5, 2.0, 3.0])
    names = {*compute_metrics(y_class, p_class, CLASSES), *compute_metrics(y_number, p_number, NUMBER)}
    names |= {name for task in task_names() for name in get_task(task).METRICS}
    names |= {"smape", "standardized_mean_squared_error", "standardized_mean_absolute_error"}
    assert len(names) > 15
    assert not [name for name in names if direction(name) is None]
    assert direction("coverage_80") is None, "too high is as wrong as too low"
