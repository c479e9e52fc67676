import inspect

import keras
import numpy as np
import pytest

from tfkit.losses import GaussianNLL, Pinball, SmoothedCrossentropy, SparseFocal
from tfkit.metrics import DIRECTIONS, DOWN, UP, Coverage, MeanPinball, direction

RANDOM = np.random.default_rng(0)
CODES = RANDOM.integers(0, 3, 60)
ONE_HOT = np.eye(3)[CODES].astype("float32")
WRONG = np.roll(ONE_HOT, 1, axis=1)
ARGUMENTS = {
    "num_classes": 3,
    "target_class_ids": [0, 1],
    "precision": 0.5,
    "recall": 0.5,
    "sensitivity": 0.5,
    "specificity": 0.5,
    "normalizer": np.ones((60, 3)),
}
COUNTS = {
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
    assert direction(f"val_{type(metric).__name__}") == direction(name)


def test_there_are_metrics_to_look_at():
    assert len(METRICS) > 35


def test_no_name_leads_both_ways():
    assert not set(UP) & set(DOWN)
    assert len(DIRECTIONS) == len(UP) + len(DOWN)


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
        ("val_coverage", None),  # too much is as wrong as too little
    ],
)
def test_what_does_not_count_of_a_name(name, expected):
    assert direction(name) == expected


def test_the_name_that_a_word_has_in_the_logs_is_known():
    words = ["acc", "bce", "mse", "mae", "mape", "MSLE", "AUC", "F1Score", MeanPinball(), MeanPinball(0.9)]
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, "sigmoid")])
    model.compile("sgd", "mse", metrics=words)
    data = np.ones((4, 2)), np.array([[0.0], [1.0], [0.0], [1.0]])
    names = model.evaluate(*data, verbose=0, return_dict=True)
    assert len(names) == len(words) + 1
    assert {name for name in names if direction(name) == "max"} == {"acc", "AUC", "F1Score"}
    assert {direction(name) for name in names} == {"max", "min"}


@pytest.mark.parametrize("kind", [Pinball, GaussianNLL, SparseFocal, SmoothedCrossentropy])
def test_a_loss_of_ours_as_a_metric_falls(kind):
    assert direction(kind().name) == "min"


# metrics of our own

Y = RANDOM.normal(size=(50, 6)).astype("float32")
BANDS = np.sort(RANDOM.normal(size=(50, 6, 3)), axis=-1).astype("float32")
WEIGHT = RANDOM.uniform(0, 2, (50, 1)).astype("float32")
INSIDE = (BANDS[..., 0] <= Y) & (BANDS[..., 2] >= Y)
ERROR = Y[..., None] - BANDS
PINBALL = np.where(ERROR > 0, np.array([0.1, 0.5, 0.9]) * ERROR, np.array([-0.9, -0.5, -0.1]) * ERROR).mean(-1)
OURS = {
    "coverage": (Coverage(), Y, BANDS, INSIDE),
    "coverage of a column": (Coverage(), Y[..., None], BANDS, INSIDE),
    "coverage of the lower half": (Coverage(upper=1), Y, BANDS, (BANDS[..., 0] <= Y) & (BANDS[..., 1] >= Y)),
    "pinball": (MeanPinball(0.9), Y[:, :1], BANDS[:, 0, 2:], np.where(ERROR > 0, 0.9 * ERROR, -0.1 * ERROR)[:, 0, 2]),
    "pinball of several": (MeanPinball([0.1, 0.5, 0.9]), Y, BANDS, PINBALL),
}


@pytest.mark.parametrize(("metric", "y", "answers", "expected"), OURS.values(), ids=OURS)
@pytest.mark.parametrize("cuts", [[], [7, 40]], ids=["at once", "in uneven batches"])
def test_a_metric_is_the_mean_over_all_rows(metric, y, answers, expected, cuts):
    metric.reset_state()
    for one, other in zip(np.split(y, cuts), np.split(answers, cuts), strict=True):
        metric.update_state(one, other)
    assert float(metric.result()) == pytest.approx(expected.mean(), rel=1e-5)
    metric.reset_state()
    weight = WEIGHT if expected.ndim == 2 else WEIGHT[:, 0]
    for one, other, share in zip(np.split(y, cuts), np.split(answers, cuts), np.split(weight, cuts), strict=True):
        metric.update_state(one, other, sample_weight=share)
    weight = np.broadcast_to(weight, expected.shape)
    assert float(metric.result()) == pytest.approx((expected * weight).sum() / weight.sum(), rel=1e-5)


def test_the_ends_of_an_interval_are_in_it():
    metric = Coverage()
    metric.update_state(np.array([1.0, 2.0, 2.5, np.nan]), np.array([[1.0, 2.0]] * 4))
    assert float(metric.result()) == 0.5


def test_our_metrics_come_back_from_the_file_of_their_model(tmp_path):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.compile("sgd", Pinball([0.1, 0.5, 0.9]), metrics=[MeanPinball([0.1, 0.4, 0.8], name="mine"), Coverage(1, 2)])
    x, y = RANDOM.normal(size=(20, 3)), RANDOM.normal(size=20)
    said = model.evaluate(x, y, verbose=0, return_dict=True)
    model.save(tmp_path / "model.keras")
    back = keras.saving.load_model(tmp_path / "model.keras")
    assert back.evaluate(x, y, verbose=0, return_dict=True) == pytest.approx(said)
    assert set(said) == {"loss", "mine", "coverage"}
    found = [metric.get_config() for metric in back._compile_metrics.metrics]
    assert {name: (found[0] | found[1]).get(name) for name in ("quantile", "lower", "upper")} == {
        "quantile": [0.1, 0.4, 0.8],
        "lower": 1,
        "upper": 2,
    }
