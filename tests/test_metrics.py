import inspect

import keras
import numpy as np
import pytest

from tfkit.losses import GaussianNLL, QuantileLoss, SparseCategoricalFocalCrossentropy, SparseLabelSmoothingCrossentropy
from tfkit.metrics import DIRECTIONS, HIGHER_IS_BETTER, LOWER_IS_BETTER, Coverage, MeanQuantileLoss, direction

RANDOM = np.random.default_rng(0)
CLASS_INDICES = RANDOM.integers(0, 3, 60)
ONE_HOT = np.eye(3)[CLASS_INDICES].astype("float32")
WRONG_ONE_HOT = np.roll(ONE_HOT, 1, axis=1)
REQUIRED_ARGUMENTS = {
    "num_classes": 3,
    "target_class_ids": [0, 1],
    "precision": 0.5,
    "recall": 0.5,
    "sensitivity": 0.5,
    "specificity": 0.5,
    "normalizer": np.ones((60, 3)),
}
METRICS_WITHOUT_DIRECTION = {
    "Metric",
    "MeanMetricWrapper",
    "Mean",
    "Sum",
    "TruePositives",
    "TrueNegatives",
    "FalsePositives",
    "FalseNegatives",
}


def keras_metrics():
    """An instance of every Keras metric with a direction, by name."""
    classes = [value for value in vars(keras.metrics).values() if inspect.isclass(value)]
    metrics = []
    for metric_class in classes:
        if metric_class.__name__ in METRICS_WITHOUT_DIRECTION:
            continue
        parameters = inspect.signature(metric_class.__init__).parameters.values()
        required = [parameter.name for parameter in parameters if parameter.default is parameter.empty]
        metrics.append(
            metric_class(**{name: REQUIRED_ARGUMENTS[name] for name in required if name in REQUIRED_ARGUMENTS})
        )
    return {metric.name: metric for metric in metrics}


METRICS = keras_metrics()


def targets_and_predictions(name):
    """Targets, correct and wrong predictions in the form that the metric expects."""
    if name.startswith("sparse_"):
        return CLASS_INDICES, ONE_HOT, WRONG_ONE_HOT
    if name in ("accuracy", "io_u", "mean_io_u"):
        return CLASS_INDICES, CLASS_INDICES, (CLASS_INDICES + 1) % 3
    if "hinge" in name and "categorical" not in name:
        return 2 * ONE_HOT - 1, 2 * ONE_HOT - 1, 2 * WRONG_ONE_HOT - 1
    if name in ("pearson_correlation", "concordance_correlation", "r2_score"):
        y = RANDOM.normal(size=(60, 4)).astype("float32")
        return y, y, -y
    return ONE_HOT, 0.99 * ONE_HOT + 0.003, 0.99 * WRONG_ONE_HOT + 0.003


@pytest.mark.parametrize("name", METRICS)
def test_direction_of_a_keras_metric_is_that_of_correct_predictions(name):
    metric, (y, correct, wrong) = METRICS[name], targets_and_predictions(name)
    if name.endswith("top_k_categorical_accuracy"):
        metric = type(metric)(k=1)
    values = []
    for y_pred in (correct, wrong):
        metric.reset_state()
        metric.update_state(y, y_pred)
        values.append(float(np.mean(metric.result())))
    assert values[0] != values[1]
    assert direction(name) == ("max" if values[0] > values[1] else "min")
    assert direction(f"val_{type(metric).__name__}") == direction(name)


def test_keras_metrics_are_listed():
    assert len(METRICS) > 35


def test_no_metric_has_both_directions():
    assert not set(HIGHER_IS_BETTER) & set(LOWER_IS_BETTER)
    assert len(DIRECTIONS) == len(HIGHER_IS_BETTER) + len(LOWER_IS_BETTER)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("loss", "min"),
        ("val_loss", "min"),
        ("val_roc_auc", "max"),
        ("f1_macro", "max"),
        ("val_f1_weighted", "max"),
        ("precision_micro", "max"),
        ("val_root_mean_squared_error", "min"),
        ("mood", None),
        ("val_", None),
        ("", None),
        ("evaluation_loss", None),
        ("macro", None),
        ("val_auc_1", "max"),
        ("loss_12", "min"),
        ("f1_", None),
        ("coverage", None),
        ("val_coverage", None),  # too high is as wrong as too low
    ],
)
def test_prefixes_and_suffixes_of_a_name_are_ignored(name, expected):
    assert direction(name) == expected


def test_direction_of_metric_names_in_the_logs():
    metrics = ["acc", "bce", "mse", "mae", "mape", "MSLE", "AUC", "F1Score", MeanQuantileLoss(), MeanQuantileLoss(0.9)]
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")])
    model.compile("sgd", "mse", metrics=metrics)
    data = np.ones((4, 2)), np.array([[0.0], [1.0], [0.0], [1.0]])
    names = model.evaluate(*data, verbose=0, return_dict=True)
    assert len(names) == len(metrics) + 1
    assert {name for name in names if direction(name) == "max"} == {"acc", "AUC", "F1Score"}
    assert {direction(name) for name in names} == {"max", "min"}


@pytest.mark.parametrize(
    "loss_class", [QuantileLoss, GaussianNLL, SparseCategoricalFocalCrossentropy, SparseLabelSmoothingCrossentropy]
)
def test_direction_of_tfkit_losses_is_min(loss_class):
    assert direction(loss_class().name) == "min"


# metrics of tfkit

Y = RANDOM.normal(size=(50, 6)).astype("float32")
QUANTILE_PREDICTIONS = np.sort(RANDOM.normal(size=(50, 6, 3)), axis=-1).astype("float32")
WEIGHT = RANDOM.uniform(0, 2, (50, 1)).astype("float32")
IS_INSIDE = (QUANTILE_PREDICTIONS[..., 0] <= Y) & (QUANTILE_PREDICTIONS[..., 2] >= Y)
ERROR = Y[..., None] - QUANTILE_PREDICTIONS
PINBALL = np.where(ERROR > 0, np.array([0.1, 0.5, 0.9]) * ERROR, np.array([-0.9, -0.5, -0.1]) * ERROR).mean(-1)
CASES = {
    "coverage": (Coverage(), Y, QUANTILE_PREDICTIONS, IS_INSIDE),
    "coverage of a column": (Coverage(), Y[..., None], QUANTILE_PREDICTIONS, IS_INSIDE),
    "coverage of the lower half": (
        Coverage(upper=1),
        Y,
        QUANTILE_PREDICTIONS,
        (QUANTILE_PREDICTIONS[..., 0] <= Y) & (QUANTILE_PREDICTIONS[..., 1] >= Y),
    ),
    "pinball": (
        MeanQuantileLoss(0.9),
        Y[:, :1],
        QUANTILE_PREDICTIONS[:, 0, 2:],
        np.where(ERROR > 0, 0.9 * ERROR, -0.1 * ERROR)[:, 0, 2],
    ),
    "pinball of several quantiles": (MeanQuantileLoss([0.1, 0.5, 0.9]), Y, QUANTILE_PREDICTIONS, PINBALL),
}


@pytest.mark.parametrize(("metric", "y", "y_pred", "expected"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("boundaries", [[], [7, 40]], ids=["one batch", "uneven batches"])
def test_metric_is_the_weighted_mean_over_all_rows(metric, y, y_pred, expected, boundaries):
    metric.reset_state()
    batches = np.split(y, boundaries), np.split(y_pred, boundaries)
    for y_batch, y_pred_batch in zip(*batches, strict=True):
        metric.update_state(y_batch, y_pred_batch)
    assert float(metric.result()) == pytest.approx(expected.mean(), rel=1e-5)
    metric.reset_state()
    weight = WEIGHT if expected.ndim == 2 else WEIGHT[:, 0]
    for y_batch, y_pred_batch, weight_batch in zip(*batches, np.split(weight, boundaries), strict=True):
        metric.update_state(y_batch, y_pred_batch, sample_weight=weight_batch)
    weight = np.broadcast_to(weight, expected.shape)
    assert float(metric.result()) == pytest.approx((expected * weight).sum() / weight.sum(), rel=1e-5)


def test_coverage_includes_the_ends_of_an_interval():
    metric = Coverage()
    metric.update_state(np.array([1.0, 2.0, 2.5, np.nan]), np.array([[1.0, 2.0]] * 4))
    assert float(metric.result()) == 0.5


def test_metrics_are_restored_from_a_saved_model(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.compile(
        "sgd",
        QuantileLoss([0.1, 0.5, 0.9]),
        metrics=[MeanQuantileLoss([0.1, 0.4, 0.8], name="pinball_of_test"), Coverage(1, 2)],
    )
    x, y = RANDOM.normal(size=(20, 3)), RANDOM.normal(size=20)
    scores = model.evaluate(x, y, verbose=0, return_dict=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(x, y, verbose=0, return_dict=True) == pytest.approx(scores)
    assert set(scores) == {"loss", "pinball_of_test", "coverage"}
    configs = [metric.get_config() for metric in loaded._compile_metrics.metrics]
    assert {name: (configs[0] | configs[1]).get(name) for name in ("quantile", "lower", "upper")} == {
        "quantile": [0.1, 0.4, 0.8],
        "lower": 1,
        "upper": 2,
    }
