import keras
import numpy as np
import pytest
import tensorflow as tf

from tfkit.losses import GaussianNLL, PerMember, Pinball, SmoothedCrossentropy, SparseFocal

RANDOM = np.random.default_rng(0)
CODES = RANDOM.integers(0, 4, 9)
LOGITS = RANDOM.normal(size=(9, 4)).astype("float32") * 3
WEIGHT = RANDOM.uniform(0, 2, 9).astype("float32")
VALUES, ANSWERS = RANDOM.normal(size=(2, 9, 1)).astype("float32")
SERIES, BANDS = RANDOM.normal(size=(9, 5)).astype("float32"), RANDOM.normal(size=(9, 5, 3)).astype("float32")
QUANTILES = np.array([0.1, 0.5, 0.8])
NORMAL = RANDOM.normal(size=(9, 2)).astype("float32") * 2


def log_softmax(x):
    x = x.astype("float64") - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


def density(y, mean, variance):
    """The normal distribution, as its formula stands."""
    y, mean, variance = (np.asarray(a, "float64") for a in (y, mean, variance))
    return np.exp(-((y - mean) ** 2) / (2 * variance)) / np.sqrt(2 * np.pi * variance)


def bands(y, answers):
    error = y[..., None].astype("float64") - answers
    return np.where(error > 0, QUANTILES * error, (QUANTILES - 1) * error).mean(-1)


LOG_P = log_softmax(LOGITS)
TRUE = LOG_P[np.arange(9), CODES]
PAIRS = {
    "smoothed": (SmoothedCrossentropy(0.2), CODES, LOGITS, -0.8 * TRUE - 0.2 * LOG_P.mean(1)),
    "focal": (SparseFocal(1.5), CODES, LOGITS, -((1 - np.exp(TRUE)) ** 1.5) * TRUE),
    "pinball": (Pinball(0.9), VALUES, ANSWERS, np.where(VALUES > ANSWERS, 0.9, -0.1)[:, 0] * (VALUES - ANSWERS)[:, 0]),
    "pinball of several": (Pinball(QUANTILES.tolist()), VALUES[:, 0], BANDS[:, 0], bands(VALUES[:, 0], BANDS[:, 0])),
    "gaussian": (
        GaussianNLL(),
        VALUES,
        NORMAL,
        -np.log(density(VALUES[:, 0], NORMAL[:, 0], np.exp(NORMAL[:, 1]) + 1e-6)),
    ),
    "gaussian with a floor": (
        GaussianNLL(floor=0.3),
        VALUES,
        NORMAL,
        -np.log(density(VALUES[:, 0], NORMAL[:, 0], np.exp(NORMAL[:, 1]) + 0.3)),
    ),
    "gaussian of a softplus": (
        GaussianNLL("softplus", floor=0.01),
        VALUES,
        NORMAL,
        -np.log(density(VALUES[:, 0], NORMAL[:, 0], np.log1p(np.exp(NORMAL[:, 1])) ** 2 + 0.01)),
    ),
    "gaussian with a weight": (
        GaussianNLL(beta=0.5),
        VALUES,
        NORMAL,
        -np.log(density(VALUES[:, 0], NORMAL[:, 0], np.exp(NORMAL[:, 1]) + 1e-6)) * np.exp(NORMAL[:, 1] / 2),
    ),
}
EACH = pytest.mark.parametrize(("loss", "y", "answer", "expected"), PAIRS.values(), ids=PAIRS)


@EACH
def test_a_loss_is_that_of_numpy_row_by_row(loss, y, answer, expected):
    np.testing.assert_allclose(loss.call(y, tf.constant(answer)), expected, rtol=1e-5, atol=1e-6)


@EACH
def test_rows_are_averaged_with_their_weights(loss, y, answer, expected):
    assert float(loss(y, answer)) == pytest.approx(expected.mean(), rel=1e-5)
    assert float(loss(y, answer, sample_weight=WEIGHT)) == pytest.approx((expected * WEIGHT).mean(), rel=1e-5)


@EACH
@pytest.mark.parametrize("reduction", ["sum", "none", "mean_with_sample_weight"])
def test_rows_are_reduced_as_told(loss, y, answer, expected, reduction):
    loss = type(loss).from_config({**loss.get_config(), "reduction": reduction})
    reduced = {
        "sum": (expected * WEIGHT).sum(),
        "none": expected * WEIGHT,
        "mean_with_sample_weight": (expected * WEIGHT).sum() / WEIGHT.sum(),
    }
    np.testing.assert_allclose(loss(y, answer, sample_weight=WEIGHT), reduced[reduction], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("loss", [SmoothedCrossentropy(0.2), SparseFocal(2.0), Pinball(0.9)], ids=lambda o: o.name)
def test_targets_may_be_a_column_or_a_row_of_floats(loss):
    y, answer = (VALUES, ANSWERS) if isinstance(loss, Pinball) else (CODES, LOGITS)
    plain = float(loss(y, answer))
    assert float(loss(np.reshape(y, (9, 1)).astype("float32"), answer)) == pytest.approx(plain, rel=1e-6)
    assert float(loss(np.reshape(y, (9,)), answer[:, None, :])) == pytest.approx(plain, rel=1e-6)  # as MemberMean says


@pytest.mark.parametrize("share", [0.0, 0.1, 0.7])
def test_smoothed_crossentropy_is_keras_on_one_hot(share):
    theirs = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=share)
    expected = float(theirs(np.eye(4)[CODES], LOGITS))
    assert float(SmoothedCrossentropy(share)(CODES, LOGITS)) == pytest.approx(expected, rel=1e-5)


def test_focal_with_gamma_zero_is_keras_crossentropy():
    expected = float(keras.losses.SparseCategoricalCrossentropy(from_logits=True)(CODES, LOGITS))
    assert float(SparseFocal(0.0)(CODES, LOGITS)) == pytest.approx(expected, rel=1e-5)


def test_focal_is_keras_on_one_hot():
    theirs = keras.losses.CategoricalFocalCrossentropy(alpha=1.0, gamma=2.0, from_logits=True)
    assert float(SparseFocal(2.0)(CODES, LOGITS)) == pytest.approx(float(theirs(np.eye(4)[CODES], LOGITS)), rel=1e-4)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("sure", [200.0, -200.0])
def test_focal_has_a_finite_slope_where_the_model_is_sure(gamma, sure):
    logits = tf.Variable([[sure, 0.0]])
    with tf.GradientTape() as tape:
        value = SparseFocal(gamma)(np.array([0]), logits)
    assert float(value) == pytest.approx(max(0.0, -sure), abs=1e-5)
    np.testing.assert_allclose(tape.gradient(value, logits), [[0.0, 0.0]] if sure > 0 else [[-1.0, 1.0]], atol=1e-5)


def test_pinball_of_a_half_is_half_the_absolute_error():
    assert float(Pinball(0.5)(VALUES, ANSWERS)) == pytest.approx(np.abs(VALUES - ANSWERS).mean() / 2, rel=1e-5)


def test_pinball_is_least_at_its_quantile():
    y = RANDOM.gamma(1.0, size=(2000, 1)).astype("float32")
    tried = np.quantile(y, np.linspace(0.05, 0.95, 19))
    least = np.argmin([float(Pinball(0.9)(y, np.full_like(y, value))) for value in tried])
    assert least == 17  # the 0.90


def test_several_quantiles_are_taught_at_every_time():
    np.testing.assert_allclose(Pinball(QUANTILES.tolist()).call(SERIES, tf.constant(BANDS)), bands(SERIES, BANDS), 1e-5)
    column = Pinball(tuple(QUANTILES))(SERIES[..., None], BANDS)
    assert float(column) == pytest.approx(bands(SERIES, BANDS).mean(), rel=1e-5)


def test_a_list_of_one_quantile_is_that_quantile():
    assert float(Pinball([0.9])(VALUES, ANSWERS)) == pytest.approx(float(Pinball(0.9)(VALUES, ANSWERS)), rel=1e-6)


def test_gaussian_nll_is_taught_at_every_time():
    answers = BANDS[..., :2]
    expected = -np.log(density(SERIES, answers[..., 0], np.exp(answers[..., 1])))
    np.testing.assert_allclose(GaussianNLL().call(SERIES, tf.constant(answers)), expected, rtol=1e-4)
    weighted = float(GaussianNLL()(SERIES, answers, sample_weight=WEIGHT[:, None]))
    assert weighted == pytest.approx((expected * WEIGHT[:, None]).mean(), rel=1e-4)


def test_a_density_is_a_density():
    y = np.linspace(-30, 30, 4001, dtype="float32")
    for scale in ("log_variance", "softplus"):
        loss = GaussianNLL(scale, reduction="none")(y, np.tile(np.float32([[0.7, 1.3]]), (4001, 1)))
        assert np.trapezoid(np.exp(-loss), y) == pytest.approx(1, rel=1e-4)


def test_gaussian_nll_is_least_at_mean_and_variance():
    y = RANDOM.normal(3.0, 2.0, size=4000).astype("float32")
    y = 3 + 2 * (y - y.mean()) / y.std()
    tried = [(mean, variance) for mean in (2.8, 3.0, 3.2) for variance in (3.6, 4.0, 4.4)]
    losses = [float(GaussianNLL()(y, np.tile(np.float32([[m, np.log(v)]]), (4000, 1)))) for m, v in tried]
    assert tried[np.argmin(losses)] == (3.0, 4.0)


@pytest.mark.parametrize("scale", ["log_variance", "softplus"])
@pytest.mark.parametrize("said", [-1e4, -90.0, 90.0, 1e4])
def test_gaussian_nll_has_a_finite_value_and_slope_where_the_answer_is_extreme(scale, said):
    answers = tf.Variable([[500.0, said]])
    with tf.GradientTape() as tape:
        value = GaussianNLL(scale)(np.array([0.0]), answers)
    assert np.isfinite(value)
    assert np.isfinite(tape.gradient(value, answers)).all()


def test_beta_of_one_teaches_the_mean_as_squared_error_does():
    answers = tf.Variable(NORMAL)
    with tf.GradientTape(persistent=True) as tape:
        value, width_alone = (GaussianNLL(beta=beta, reduction="sum")(VALUES, answers) for beta in (1.0, 0.0))
    slope = tape.gradient(value, answers).numpy()
    np.testing.assert_allclose(slope[:, 0], NORMAL[:, 0] - VALUES[:, 0], rtol=1e-4)
    expected = tape.gradient(width_alone, answers).numpy()[:, 1] * np.exp(NORMAL[:, 1])  # no slope of the weight itself
    np.testing.assert_allclose(slope[:, 1], expected, rtol=1e-4)


INNER = {
    "sparse": (keras.losses.SparseCategoricalCrossentropy(from_logits=True), 4),
    "smoothed": (SmoothedCrossentropy(0.2), 4),
    "focal": (SparseFocal(1.0), 4),
    "squared": (keras.losses.MeanSquaredError(), 1),
    "absolute": (keras.losses.MeanAbsoluteError(), 1),
    "huber": (keras.losses.Huber(0.5), 1),
    "pinball": (Pinball(0.8), 1),
    "quantiles": (Pinball(QUANTILES.tolist()), 3),
    "gaussian": (GaussianNLL(), 2),
}


@pytest.mark.parametrize("column", [False, True], ids=["(batch,)", "(batch, 1)"])
@pytest.mark.parametrize(("inner", "dim"), INNER.values(), ids=INNER)
def test_per_member_is_the_mean_of_separate_losses(inner, dim, column):
    answers = RANDOM.normal(size=(9, 3, dim)).astype("float32")
    y = CODES if dim == 4 else RANDOM.normal(size=9).astype("float32")
    y = y[:, None] if column else y
    each = [float(inner(y[:, None] if y.ndim == 1 and dim == 1 else y, answers[:, m])) for m in range(3)]
    assert float(PerMember(inner)(y, answers)) == pytest.approx(np.mean(each), rel=1e-5)
    weighted = [float(inner(y, answers[:, m], sample_weight=WEIGHT)) for m in range(3)]
    assert float(PerMember(inner)(y, answers, sample_weight=WEIGHT)) == pytest.approx(np.mean(weighted), rel=1e-5)
    alone = float(inner(y, answers[:, 0]))  # one voice, as in validation
    assert float(PerMember(inner)(y, answers[:, :1])) == pytest.approx(alone, rel=1e-5)


def test_per_member_gives_each_member_a_gradient_of_its_own():
    answers = tf.Variable(RANDOM.normal(size=(9, 3, 1)).astype("float32"))
    with tf.GradientTape() as tape:
        value = PerMember(keras.losses.MeanSquaredError())(VALUES, answers)
    expected = 2 * (answers.numpy() - VALUES[:, None]) / (9 * 3)
    np.testing.assert_allclose(tape.gradient(value, answers), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SmoothedCrossentropy(1.0), r"`label_smoothing` must be in \[0, 1\). Received: 1.0"),
        (lambda: SmoothedCrossentropy(-0.1), r"`label_smoothing` must be in \[0, 1\). Received: -0.1"),
        (lambda: SparseFocal(-1.0), "`gamma` must be at least 0. Received: -1.0"),
        (lambda: SparseFocal(float("nan")), "`gamma` must be at least 0. Received: nan"),
        (lambda: Pinball(0.0), r"`quantile` must be in \(0, 1\), or a list of such. Received: 0.0"),
        (lambda: Pinball(1), r"`quantile` must be in \(0, 1\), .* Received: 1"),
        (lambda: Pinball([]), r"`quantile` must be in \(0, 1\), .* Received: \[\]"),
        (lambda: Pinball([0.1, 1.5]), r"`quantile` must be in \(0, 1\), .* Received: \[0.1, 1.5\]"),
        (
            lambda: Pinball([0.1, 0.9])(VALUES, BANDS),
            r"one for each quantile. Received: .*=\[0.1, 0.9\], .* \(9, 5, 3\)",
        ),
        (lambda: GaussianNLL("variance"), "`scale` must be 'log_variance' or 'softplus'. Received: 'variance'"),
        (
            lambda: GaussianNLL(floor=0.0),
            r"`floor` must be above 0 and `beta` in \[0, 1\]. Received: floor=0.0, beta=0.0",
        ),
        (lambda: GaussianNLL(beta=1.5), r"`beta` in \[0, 1\]. Received: floor=1e-06, beta=1.5"),
        (lambda: GaussianNLL()(VALUES, BANDS), r"last axis of the answers must be 2, .* shape \(9, 5, 3\)"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_per_member_refuses_the_name_of_a_loss():
    with pytest.raises(TypeError, match=r"`loss` must be a `keras.losses.Loss`, such as .* Received: 'mse'"):
        PerMember("mse")
