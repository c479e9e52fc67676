import inspect

import keras
import numpy as np
import pytest

from tfkit.metrics import DIRECTIONS, DOWN, UP, direction

RANDOM = np.random.default_rng(0)
CODES = RANDOM.integers(0, 3, 60)
ONE_HOT = np.eye(3)[CODES].astype("float32")
WRONG = np.roll(ONE_HOT, 1, axis=1)
ARGUMENTS = {"num_classes": 3, "target_class_ids": [0, 1], "precision": 0.5, "recall": 0.5, "sensitivity": 0.5,
             "specificity": 0.5, "normalizer": np.ones((60, 3))}  # fmt: skip
COUNTS = {"Metric", "MeanMetricWrapper", "Mean", "Sum", "TruePositives", "TrueNegatives", "FalsePositives",
          "FalseNegatives"}  # fmt: skip


def keras_metrics():
    """A metric of every class of Keras, by its name."""
    kinds = [kind for kind in vars(keras.metrics).values() if inspect.isclass(kind) and kind.__name__ not in COUNTS]
    metrics = []
    for kind in kinds:
        needed = [p.name for p in inspect.signature(kind.__init__).parameters.values() if p.default is p.empty]
        metrics.append(kind(**{name: ARGUMENTS[name] for name in needed if name in ARGUMENTS}))
    return {metric.name: metric for metric in metrics}


METRICS = keras_metrics()


def truth_and_answers(name):
    """Targets, right answers and wrong answers as the metric wants them."""
    if name.startswith("sparse_"):
        return CODES, ONE_HOT, WRONG
    if name in ("accuracy", "io_u", "mean_io_u"):
        return CODES, CODES, (CODES + 1) % 3
    if "hinge" in name and "categorical" not in name:
        return 2 * ONE_HOT - 1, 2 * ONE_HOT - 1, 2 * WRONG - 1
    if name in ("pearson_correlation", "concordance_correlation", "r2_score"):
        y = RANDOM.normal(size=(60, 4)).astype("float32")
        return y, y, -y
    return ONE_HOT, 0.99 * ONE_HOT + 0.003, 0.99 * WRONG + 0.003


@pytest.mark.parametrize("name", METRICS)
def test_the_direction_of_a_metric_of_keras_is_where_right_answers_lead(name):
    metric, (y, right, wrong) = METRICS[name], truth_and_answers(name)
    if name.endswith("top_k_categorical_accuracy"):
        metric = type(metric)(k=1)
    values = []
    for answers in (right, wrong):
        metric.reset_state()
        metric.update_state(y, answers)
        values.append(float(np.mean(metric.result())))
    assert values[0] != values[1]
    assert direction(name) == ("max" if values[0] > values[1] else "min")


def test_there_are_metrics_to_look_at():
    assert len(METRICS) > 35


def test_no_name_leads_both_ways():
    assert not set(UP) & set(DOWN)
    assert len(DIRECTIONS) == len(UP) + len(DOWN)


@pytest.mark.parametrize(("name", "expected"), [
    ("loss", "min"), ("val_loss", "min"), ("val_roc_auc", "max"), ("f1_macro", "max"), ("val_f1_weighted", "max"),
    ("precision_micro", "max"), ("val_root_mean_squared_error", "min"), ("mood", None), ("val_", None), ("", None),
    ("evaluation_loss", None), ("macro", None),
])  # fmt: skip
def test_what_does_not_count_of_a_name(name, expected):
    assert direction(name) == expected
