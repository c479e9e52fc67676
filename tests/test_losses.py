import keras
import numpy as np
import pytest
import tensorflow as tf

from tfkit.losses import (
    EnsembleLoss,
    GaussianNLL,
    QuantileLoss,
    SparseCategoricalFocalCrossentropy,
    SparseLabelSmoothingCrossentropy,
)

RANDOM = np.random.default_rng(0)
CLASS_INDICES = RANDOM.integers(0, 4, 9)
LOGITS = RANDOM.normal(size=(9, 4)).astype("float32") * 3
WEIGHT = RANDOM.uniform(0, 2, 9).astype("float32")
VALUES, PREDICTIONS = RANDOM.normal(size=(2, 9, 1)).astype("float32")
SERIES, QUANTILE_PREDICTIONS = (
    RANDOM.normal(size=(9, 5)).astype("float32"),
    RANDOM.normal(size=(9, 5, 3)).astype("float32"),
)
QUANTILES = np.array([0.1, 0.5, 0.8])
GAUSSIAN_PREDICTIONS = RANDOM.normal(size=(9, 2)).astype("float32") * 2


def log_softmax(x):
    x = x.astype("float64") - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def density(y, mean, variance):
    """Density of the normal distribution."""
    y, mean, variance = (np.asarray(array, "float64") for array in (y, mean, variance))
    return np.exp(-((y - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)


def expected_pinball(y, predictions):
    error = y[..., None].astype("float64") - predictions
    return np.where(error > 0, QUANTILES * error, (QUANTILES - 1) * error).mean(-1)


LOG_P = log_softmax(LOGITS)
TRUE_LOG_P = LOG_P[np.arange(9), CLASS_INDICES]
CASES = {
    "smoothed": (SparseLabelSmoothingCrossentropy(0.2), CLASS_INDICES, LOGITS, -0.8 * TRUE_LOG_P - 0.2 * LOG_P.mean(1)),
    "focal": (
        SparseCategoricalFocalCrossentropy(1.5),
        CLASS_INDICES,
        LOGITS,
        -((1 - np.exp(TRUE_LOG_P)) ** 1.5) * TRUE_LOG_P,
    ),
    "pinball": (
        QuantileLoss(0.9),
        VALUES,
        PREDICTIONS,
        np.where(VALUES > PREDICTIONS, 0.9, -0.1)[:, 0] * (VALUES - PREDICTIONS)[:, 0],
    ),
    "pinball of several quantiles": (
        QuantileLoss(QUANTILES.tolist()),
        VALUES[:, 0],
        QUANTILE_PREDICTIONS[:, 0],
        expected_pinball(VALUES[:, 0], QUANTILE_PREDICTIONS[:, 0]),
    ),
    "gaussian": (
        GaussianNLL(),
        VALUES,
        GAUSSIAN_PREDICTIONS,
        -np.log(density(VALUES[:, 0], GAUSSIAN_PREDICTIONS[:, 0], np.exp(GAUSSIAN_PREDICTIONS[:, 1]) + 1e-6)),
    ),
    "gaussian with a floor": (
        GaussianNLL(floor=0.3),
        VALUES,
        GAUSSIAN_PREDICTIONS,
        -np.log(density(VALUES[:, 0], GAUSSIAN_PREDICTIONS[:, 0], np.exp(GAUSSIAN_PREDICTIONS[:, 1]) + 0.3)),
    ),
    "gaussian with softplus": (
        GaussianNLL("softplus", floor=0.01),
        VALUES,
        GAUSSIAN_PREDICTIONS,
        -np.log(
            density(VALUES[:, 0], GAUSSIAN_PREDICTIONS[:, 0], np.log1p(np.exp(GAUSSIAN_PREDICTIONS[:, 1])) ** 2 + 0.01)
        ),
    ),
    "gaussian with beta": (
        GaussianNLL(beta=0.5),
        VALUES,
        GAUSSIAN_PREDICTIONS,
        -np.log(density(VALUES[:, 0], GAUSSIAN_PREDICTIONS[:, 0], np.exp(GAUSSIAN_PREDICTIONS[:, 1]) + 1e-6))
        * np.exp(GAUSSIAN_PREDICTIONS[:, 1] / 2),
    ),
}
PARAMETRIZE_CASES = pytest.mark.parametrize(("loss", "y", "y_pred", "expected"), CASES.values(), ids=CASES)


@PARAMETRIZE_CASES
def test_loss_of_each_row_equals_numpy(loss, y, y_pred, expected):
    np.testing.assert_allclose(loss.call(y, tf.constant(y_pred)), expected, rtol=1e-5, atol=1e-6)


@PARAMETRIZE_CASES
def test_loss_is_the_weighted_mean_over_rows(loss, y, y_pred, expected):
    assert float(loss(y, y_pred)) == pytest.approx(expected.mean(), rel=1e-5)
    assert float(loss(y, y_pred, sample_weight=WEIGHT)) == pytest.approx((expected * WEIGHT).mean(), rel=1e-5)


@PARAMETRIZE_CASES
@pytest.mark.parametrize("reduction", ["sum", "none", "mean_with_sample_weight"])
def test_reduction(loss, y, y_pred, expected, reduction):
    loss = type(loss).from_config({**loss.get_config(), "reduction": reduction})
    expected_reductions = {
        "sum": (expected * WEIGHT).sum(),
        "none": expected * WEIGHT,
        "mean_with_sample_weight": (expected * WEIGHT).sum() / WEIGHT.sum(),
    }
    np.testing.assert_allclose(
        loss(y, y_pred, sample_weight=WEIGHT), expected_reductions[reduction], rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize(
    "loss",
    [SparseLabelSmoothingCrossentropy(0.2), SparseCategoricalFocalCrossentropy(2.0), QuantileLoss(0.9)],
    ids=lambda loss: loss.name,
)
def test_targets_may_be_a_column_or_floats(loss):
    y, y_pred = (VALUES, PREDICTIONS) if isinstance(loss, QuantileLoss) else (CLASS_INDICES, LOGITS)
    expected = float(loss(y, y_pred))
    assert float(loss(np.reshape(y, (9, 1)).astype("float32"), y_pred)) == pytest.approx(expected, rel=1e-6)
    outputs = y_pred[:, None, :]  # the output shape of EnsembleAverage
    assert float(loss(np.reshape(y, (9,)), outputs)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.1, 0.7])
def test_smoothed_crossentropy_equals_keras_on_one_hot(label_smoothing):
    keras_loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=label_smoothing)
    expected = float(keras_loss(np.eye(4)[CLASS_INDICES], LOGITS))
    assert float(SparseLabelSmoothingCrossentropy(label_smoothing)(CLASS_INDICES, LOGITS)) == pytest.approx(
        expected, rel=1e-5
    )


def test_focal_with_gamma_zero_equals_keras_crossentropy():
    expected = float(keras.losses.SparseCategoricalCrossentropy(from_logits=True)(CLASS_INDICES, LOGITS))
    assert float(SparseCategoricalFocalCrossentropy(0.0)(CLASS_INDICES, LOGITS)) == pytest.approx(expected, rel=1e-5)


def test_focal_equals_keras_on_one_hot():
    keras_loss = keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=2.0, from_logits=True)
    assert float(SparseCategoricalFocalCrossentropy(2.0)(CLASS_INDICES, LOGITS)) == pytest.approx(
        float(keras_loss(np.eye(4)[CLASS_INDICES], LOGITS)), rel=1e-4
    )


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("logit", [200.0, -200.0])
def test_focal_gradient_is_finite_for_large_logits(gamma, logit):
    logits = tf.Variable([[logit, 0.0]])
    with tf.GradientTape() as tape:
        value = SparseCategoricalFocalCrossentropy(gamma)(np.array([0]), logits)
    assert float(value) == pytest.approx(max(0.0, -logit), abs=1e-5)
    np.testing.assert_allclose(tape.gradient(value, logits), [[0.0, 0.0]] if logit > 0 else [[-1.0, 1.0]], atol=1e-5)


def test_pinball_of_the_median_is_half_the_absolute_error():
    assert float(QuantileLoss(0.5)(VALUES, PREDICTIONS)) == pytest.approx(
        np.abs(VALUES - PREDICTIONS).mean() / 2, rel=1e-5
    )


def test_pinball_is_minimal_at_its_quantile():
    y = RANDOM.gamma(1.0, size=(2000, 1)).astype("float32")
    candidates = np.quantile(y, np.linspace(0.05, 0.95, 19))
    best = np.argmin([float(QuantileLoss(0.9)(y, np.full_like(y, value))) for value in candidates])
    assert best == 17  # the 0.90 quantile


def test_pinball_of_several_quantiles_at_every_time_step():
    np.testing.assert_allclose(
        QuantileLoss(QUANTILES.tolist()).call(SERIES, tf.constant(QUANTILE_PREDICTIONS)),
        expected_pinball(SERIES, QUANTILE_PREDICTIONS),
        1e-5,
    )
    column_loss = QuantileLoss(tuple(QUANTILES))(SERIES[..., None], QUANTILE_PREDICTIONS)
    assert float(column_loss) == pytest.approx(expected_pinball(SERIES, QUANTILE_PREDICTIONS).mean(), rel=1e-5)


def test_pinball_of_a_list_with_one_quantile_equals_that_quantile():
    assert float(QuantileLoss([0.9])(VALUES, PREDICTIONS)) == pytest.approx(
        float(QuantileLoss(0.9)(VALUES, PREDICTIONS)), rel=1e-6
    )


def test_gaussian_nll_at_every_time_step():
    y_pred = QUANTILE_PREDICTIONS[..., :2]
    expected = -np.log(density(SERIES, y_pred[..., 0], np.exp(y_pred[..., 1])))
    np.testing.assert_allclose(GaussianNLL().call(SERIES, tf.constant(y_pred)), expected, rtol=1e-4)
    weighted = float(GaussianNLL()(SERIES, y_pred, sample_weight=WEIGHT[:, None]))
    assert weighted == pytest.approx((expected * WEIGHT[:, None]).mean(), rel=1e-4)


def test_gaussian_density_integrates_to_one():
    y = np.linspace(-30, 30, 4001, dtype="float32")
    for scale in ("log_variance", "softplus"):
        loss = GaussianNLL(scale, reduction="none")(y, np.tile(np.float32([[0.7, 1.3]]), (4001, 1)))
        assert np.trapezoid(np.exp(-loss), y) == pytest.approx(1, rel=1e-4)


def test_gaussian_nll_is_minimal_at_mean_and_variance():
    y = RANDOM.normal(3.0, 2.0, size=4000).astype("float32")
    y = 3 + 2 * (y - y.mean()) / y.std()
    candidates = [(mean, variance) for mean in (2.8, 3.0, 3.2) for variance in (3.6, 4.0, 4.4)]
    losses = [float(GaussianNLL()(y, np.tile(np.float32([[m, np.log(v)]]), (4000, 1)))) for m, v in candidates]
    assert candidates[np.argmin(losses)] == (3.0, 4.0)


@pytest.mark.parametrize("scale", ["log_variance", "softplus"])
@pytest.mark.parametrize("scale_output", [-1e4, -90.0, 90.0, 1e4])
def test_gaussian_nll_has_finite_value_and_gradient_for_extreme_outputs(scale, scale_output):
    y_pred = tf.Variable([[500.0, scale_output]])
    with tf.GradientTape() as tape:
        value = GaussianNLL(scale)(np.array([0.0]), y_pred)
    assert np.isfinite(value)
    assert np.isfinite(tape.gradient(value, y_pred)).all()


def test_beta_of_one_has_the_mean_gradient_of_squared_error():
    y_pred = tf.Variable(GAUSSIAN_PREDICTIONS)
    with tf.GradientTape(persistent=True) as tape:
        value, value_beta_0 = (GaussianNLL(beta=beta, reduction="sum")(VALUES, y_pred) for beta in (1.0, 0.0))
    gradient = tape.gradient(value, y_pred).numpy()
    np.testing.assert_allclose(gradient[:, 0], GAUSSIAN_PREDICTIONS[:, 0] - VALUES[:, 0], rtol=1e-4)
    beta_0_gradient = tape.gradient(value_beta_0, y_pred).numpy()[:, 1]
    expected = beta_0_gradient * np.exp(GAUSSIAN_PREDICTIONS[:, 1])  # no gradient through the weight
    np.testing.assert_allclose(gradient[:, 1], expected, rtol=1e-4)


MEMBER_LOSSES = {
    "sparse": (keras.losses.SparseCategoricalCrossentropy(from_logits=True), 4),
    "smoothed": (SparseLabelSmoothingCrossentropy(0.2), 4),
    "focal": (SparseCategoricalFocalCrossentropy(1.0), 4),
    "squared": (keras.losses.MeanSquaredError(), 1),
    "absolute": (keras.losses.MeanAbsoluteError(), 1),
    "huber": (keras.losses.Huber(0.5), 1),
    "pinball": (QuantileLoss(0.8), 1),
    "quantiles": (QuantileLoss(QUANTILES.tolist()), 3),
    "gaussian": (GaussianNLL(), 2),
}


@pytest.mark.parametrize("is_column", [False, True], ids=["(batch,)", "(batch, 1)"])
@pytest.mark.parametrize(("loss", "dim"), MEMBER_LOSSES.values(), ids=MEMBER_LOSSES)
def test_per_member_is_the_mean_of_member_losses(loss, dim, is_column):
    y_pred = RANDOM.normal(size=(9, 3, dim)).astype("float32")
    y = CLASS_INDICES if dim == 4 else RANDOM.normal(size=9).astype("float32")
    y = y[:, None] if is_column else y
    losses = [float(loss(y[:, None] if y.ndim == 1 and dim == 1 else y, y_pred[:, member])) for member in range(3)]
    assert float(EnsembleLoss(loss)(y, y_pred)) == pytest.approx(np.mean(losses), rel=1e-5)
    weighted = [float(loss(y, y_pred[:, member], sample_weight=WEIGHT)) for member in range(3)]
    assert float(EnsembleLoss(loss)(y, y_pred, sample_weight=WEIGHT)) == pytest.approx(np.mean(weighted), rel=1e-5)
    single = float(loss(y, y_pred[:, 0]))  # one output, as in validation
    assert float(EnsembleLoss(loss)(y, y_pred[:, :1])) == pytest.approx(single, rel=1e-5)


def test_per_member_gradient_of_each_member_is_independent():
    y_pred = tf.Variable(RANDOM.normal(size=(9, 3, 1)).astype("float32"))
    with tf.GradientTape() as tape:
        value = EnsembleLoss(keras.losses.MeanSquaredError())(VALUES, y_pred)
    expected = 2 * (y_pred.numpy() - VALUES[:, None]) / (9 * 3)
    np.testing.assert_allclose(tape.gradient(value, y_pred), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SparseLabelSmoothingCrossentropy(1.0), r"`label_smoothing` must be in \[0, 1\). Received: 1.0"),
        (lambda: SparseLabelSmoothingCrossentropy(-0.1), r"`label_smoothing` must be in \[0, 1\). Received: -0.1"),
        (lambda: SparseCategoricalFocalCrossentropy(-1.0), "`gamma` must be at least 0. Received: -1.0"),
        (lambda: SparseCategoricalFocalCrossentropy(float("nan")), "`gamma` must be at least 0. Received: nan"),
        (lambda: QuantileLoss(0.0), r"`quantile` must be in \(0, 1\), or a list of such numbers. Received: 0.0"),
        (lambda: QuantileLoss(1), r"`quantile` must be in \(0, 1\), .* Received: 1"),
        (lambda: QuantileLoss([]), r"`quantile` must be in \(0, 1\), .* Received: \[\]"),
        (lambda: QuantileLoss([0.1, 1.5]), r"`quantile` must be in \(0, 1\), .* Received: \[0.1, 1.5\]"),
        (
            lambda: QuantileLoss([0.1, 0.9])(VALUES, QUANTILE_PREDICTIONS),
            r"one output for each quantile. Received: .*=\[0.1, 0.9\], .* \(9, 5, 3\)",
        ),
        (lambda: GaussianNLL("variance"), "`scale` must be 'log_variance' or 'softplus'. Received: 'variance'"),
        (
            lambda: GaussianNLL(floor=0.0),
            r"`floor` must be above 0 and `beta` in \[0, 1\]. Received: floor=0.0, beta=0.0",
        ),
        (lambda: GaussianNLL(beta=1.5), r"`beta` in \[0, 1\]. Received: floor=1e-06, beta=1.5"),
        (lambda: GaussianNLL()(VALUES, QUANTILE_PREDICTIONS), r"last axis of `y_pred` must be 2, .* shape \(9, 5, 3\)"),
    ],
)
def test_invalid_arguments_raise(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_per_member_with_a_loss_name_raises():
    with pytest.raises(TypeError, match=r"`loss` must be a `keras.losses.Loss`, such as .* Received: 'mse'"):
        EnsembleLoss("mse")
