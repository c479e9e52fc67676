"""Ridge regression, against scikit-learn and against explicit leave-one-out fits."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge, RidgeCV

from tfkit.datasets.array import ArrayDataset
from tfkit.linear_models.ridge import ALPHAS, fit_ridge_head
from tfkit.metadata import Metadata, Target

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(40, 100)).astype("float32")
NUMBER = (X[:, :3].sum(axis=1) + RANDOM.normal(size=40) + 5).astype("float32")
CLASSES = np.argmax(X[:, :3] + 0.5 * RANDOM.normal(size=(40, 3)), axis=1)
REGRESSION, MULTICLASS = Metadata(), Metadata(target=Target(task="classification", classes=["a", "b", "c"]))


def test_regression_equals_ridge_cv_of_scikit_learn():
    kernel, bias = fit_ridge_head(ArrayDataset({"features": X}, NUMBER), REGRESSION)
    model = RidgeCV(ALPHAS).fit(X, NUMBER)
    assert (kernel.shape, bias.shape) == ((100, 1), (1,))
    np.testing.assert_allclose(kernel[:, 0], model.coef_, atol=1e-4)
    np.testing.assert_allclose(bias, model.intercept_, atol=1e-3)


def test_sample_weights_equal_repeated_rows():
    copies = RANDOM.integers(1, 4, 40)
    weighted = ArrayDataset({"features": X}, NUMBER, copies.astype("float32"))
    kernel, _ = fit_ridge_head(weighted, REGRESSION)
    candidates = [Ridge(alpha).fit(X, NUMBER, sample_weight=copies).coef_ for alpha in ALPHAS]
    assert min(np.abs(kernel[:, 0] - coef).max() for coef in candidates) < 1e-4


def test_strength_and_logit_scale_minimize_leave_one_out_losses():
    """Strength by squared error, logit scale by log loss, of left-out rows."""
    kernel, bias = fit_ridge_head(ArrayDataset({"features": X}, CLASSES), MULTICLASS)
    targets = 2.0 * np.eye(3)[CLASSES] - 1
    errors, predictions = [], []
    for alpha in ALPHAS:
        held_out = np.array(
            [
                Ridge(alpha).fit(np.delete(X, row, 0), np.delete(targets, row, 0)).predict(X[row : row + 1])[0]
                for row in range(len(X))
            ]
        )
        errors.append(((targets - held_out) ** 2).sum())
        predictions.append(held_out)
    best = int(np.argmin(errors))
    model = Ridge(ALPHAS[best]).fit(X, targets)
    scale = np.median(kernel / model.coef_.T)
    np.testing.assert_allclose(kernel, scale * model.coef_.T, rtol=1e-2, atol=1e-3)
    np.testing.assert_allclose(bias, scale * model.intercept_, rtol=1e-2)
    smoothed = (40 * np.eye(3)[CLASSES] + 1) / 43

    def loss(factor):
        logits = factor * predictions[best]
        return -(smoothed * (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))).sum()

    assert loss(scale) <= min(loss(scale * 1.3), loss(scale / 1.3))


@pytest.mark.parametrize("rows", [2, 3])
def test_very_few_rows_give_finite_weights(rows):
    kernel, bias = fit_ridge_head(ArrayDataset({"features": X[:rows]}, np.arange(rows)), MULTICLASS)
    assert np.isfinite(kernel).all()
    assert np.isfinite(bias).all()


def test_constant_features_have_zero_weights():
    x = np.concatenate([X, np.full((40, 5), 3.0, "float32")], axis=1)
    kernel, _ = fit_ridge_head(ArrayDataset({"features": x}, NUMBER), REGRESSION)
    np.testing.assert_allclose(kernel[100:], 0, atol=1e-6)
