import keras
import numpy as np
import pytest
import tensorflow as tf

from tfkit.losses import PerMember, Pinball, SmoothedCrossentropy, SparseFocal

RANDOM = np.random.default_rng(0)
CODES = RANDOM.integers(0, 4, 9)
LOGITS = RANDOM.normal(size=(9, 4)).astype("float32") * 3
WEIGHT = RANDOM.uniform(0, 2, 9).astype("float32")
VALUES, ANSWERS = RANDOM.normal(size=(2, 9, 1)).astype("float32")


def log_softmax(x):
    x = x.astype("float64") - x.max(-1, keepdims=True)
    return x - np.log(np.exp(x).sum(-1, keepdims=True))


LOG_P = log_softmax(LOGITS)
TRUE = LOG_P[np.arange(9), CODES]
PAIRS = {
    "smoothed": (SmoothedCrossentropy(0.2), CODES, LOGITS, -0.8 * TRUE - 0.2 * LOG_P.mean(1)),
    "focal": (SparseFocal(1.5), CODES, LOGITS, -((1 - np.exp(TRUE)) ** 1.5) * TRUE),
    "pinball": (Pinball(0.9), VALUES, ANSWERS, np.where(VALUES > ANSWERS, 0.9, -0.1)[:, 0] * (VALUES - ANSWERS)[:, 0]),
}  # fmt: skip
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
    reduced = {"sum": (expected * WEIGHT).sum(), "none": expected * WEIGHT,
               "mean_with_sample_weight": (expected * WEIGHT).sum() / WEIGHT.sum()}  # fmt: skip
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


INNER = {
    "sparse": (keras.losses.SparseCategoricalCrossentropy(from_logits=True), 4),
    "smoothed": (SmoothedCrossentropy(0.2), 4),
    "focal": (SparseFocal(1.0), 4),
    "squared": (keras.losses.MeanSquaredError(), 1),
    "absolute": (keras.losses.MeanAbsoluteError(), 1),
    "huber": (keras.losses.Huber(0.5), 1),
    "pinball": (Pinball(0.8), 1),
}


@pytest.mark.parametrize("column", [False, True], ids=["(batch,)", "(batch, 1)"])
@pytest.mark.parametrize(("inner", "dim"), INNER.values(), ids=INNER)
def test_per_member_is_the_mean_of_separate_losses(inner, dim, column):
    answers = RANDOM.normal(size=(9, 3, dim)).astype("float32")
    y = CODES if dim > 1 else RANDOM.normal(size=9).astype("float32")
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


@pytest.mark.parametrize(("make", "message"), [
    (lambda: SmoothedCrossentropy(1.0), r"`label_smoothing` must be in \[0, 1\). Received: 1.0"),
    (lambda: SmoothedCrossentropy(-0.1), r"`label_smoothing` must be in \[0, 1\). Received: -0.1"),
    (lambda: SparseFocal(-1.0), "`gamma` must be at least 0. Received: -1.0"),
    (lambda: SparseFocal(float("nan")), "`gamma` must be at least 0. Received: nan"),
    (lambda: Pinball(0.0), r"`quantile` must be in \(0, 1\). Received: 0.0"),
    (lambda: Pinball(1), r"`quantile` must be in \(0, 1\). Received: 1"),
])  # fmt: skip
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_per_member_refuses_the_name_of_a_loss():
    with pytest.raises(TypeError, match=r"`loss` must be a `keras.losses.Loss`, such as .* Received: 'mse'"):
        PerMember("mse")
