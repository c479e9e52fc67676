"""Ridge regression in closed form: against scikit-learn's, and against leaving out each row by hand."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge, RidgeCV

from tfkit.data.ridge import STRENGTHS, ridge_head
from tfkit.data.splits import Rows

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(40, 100)).astype("float32")
NUMBER = (X[:, :3].sum(axis=1) + RANDOM.normal(size=40) + 5).astype("float32")
CLASSES = np.argmax(X[:, :3] + 0.5 * RANDOM.normal(size=(40, 3)), axis=1)
REGRESSION, MULTICLASS = {"target": {"classes": None}}, {"target": {"classes": ["a", "b", "c"]}}


def test_a_number_as_scikit_learn_solves_it():
    kernel, bias = ridge_head(Rows({"features": X}, NUMBER), REGRESSION)
    model = RidgeCV(STRENGTHS).fit(X, NUMBER)
    assert (kernel.shape, bias.shape) == ((100, 1), (1,))
    np.testing.assert_allclose(kernel[:, 0], model.coef_, atol=1e-4)
    np.testing.assert_allclose(bias, model.intercept_, atol=1e-3)


def test_weights_count_as_copies_do():
    copies = RANDOM.integers(1, 4, 40)
    weighted = Rows({"features": X}, NUMBER, copies.astype("float32"))
    kernel, _ = ridge_head(weighted, REGRESSION)
    near = [Ridge(alpha).fit(X, NUMBER, sample_weight=copies).coef_ for alpha in STRENGTHS]
    assert min(np.abs(kernel[:, 0] - coef).max() for coef in near) < 1e-4


def test_classes_are_judged_by_what_is_said_of_rows_left_out():
    """The kernel is that of +1 and -1 at one strength, times the factor whose log loss on rows left out is smallest."""
    kernel, bias = ridge_head(Rows({"features": X}, CLASSES), MULTICLASS)
    goal = 2.0 * np.eye(3)[CLASSES] - 1
    errors, answers = [], []
    for alpha in STRENGTHS:
        out = np.array(
            [
                Ridge(alpha).fit(np.delete(X, row, 0), np.delete(goal, row, 0)).predict(X[row : row + 1])[0]
                for row in range(len(X))
            ]
        )
        errors.append(((goal - out) ** 2).sum())
        answers.append(out)
    best = int(np.argmin(errors))
    model = Ridge(STRENGTHS[best]).fit(X, goal)
    sharp = np.median(kernel / model.coef_.T)
    np.testing.assert_allclose(kernel, sharp * model.coef_.T, rtol=1e-2, atol=1e-3)
    np.testing.assert_allclose(bias, sharp * model.intercept_, rtol=1e-2)
    truth = (40 * np.eye(3)[CLASSES] + 1) / 43

    def loss(factor):
        logits = factor * answers[best]
        return -(truth * (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))).sum()

    assert loss(sharp) <= min(loss(sharp * 1.3), loss(sharp / 1.3))


@pytest.mark.parametrize("rows", [2, 3])
def test_very_few_rows_give_finite_weights(rows):
    kernel, bias = ridge_head(Rows({"features": X[:rows]}, np.arange(rows)), MULTICLASS)
    assert np.isfinite(kernel).all()
    assert np.isfinite(bias).all()


def test_features_that_do_not_vary_say_nothing():
    x = np.concatenate([X, np.full((40, 5), 3.0, "float32")], axis=1)
    kernel, _ = ridge_head(Rows({"features": x}, NUMBER), REGRESSION)
    np.testing.assert_allclose(kernel[100:], 0, atol=1e-6)
