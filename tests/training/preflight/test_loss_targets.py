"""Tests of the check that the loss accepts the targets."""

import keras
import numpy as np
import pytest

import tfkit
from tfkit.errors import UserError
from tfkit.training.preflight.loss_targets import check_targets


def make_model(loss, width):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(width)])
    model.compile("sgd", loss)
    return model


def make_data(y, test=None):
    def make_split(targets):
        return tfkit.ArrayDataset(np.zeros((len(targets), 2), "float32"), np.asarray(targets))

    return tfkit.Data(make_split(y), make_split(y), make_split(y if test is None else test), {}, lambda rows: rows)


SPARSE = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.mark.parametrize(
    ("loss", "width", "y", "test", "message"),
    [
        ("sparse_categorical_crossentropy", 3, [1, 2, 3], None, "from 0 to 2.*Received: 1 to 3 in the train split"),
        (SPARSE, 3, [0, 1, 2], [0, 5], "Received: 0 to 5 in the test split"),
        (tfkit.losses.EnsembleLoss(SPARSE), 3, [-1, 0, 1], None, "sparsecategoricalcrossentropy accepts class indices"),
        (tfkit.losses.SparseCategoricalFocalCrossentropy(), 2, [0, 2], None, "from 0 to 1"),
        ("binary_crossentropy", 1, [1.0, 2.0], None, "accepts targets from 0 to 1; check the target, or"),
        ("poisson", 1, [-3.0, 2.0], None, "accepts targets of at least 0;.*Received: -3 to 2"),
    ],
)
def test_targets_outside_the_range_of_the_loss_are_rejected(loss, width, y, test, message):
    with pytest.raises(UserError, match=message):
        check_targets(make_model(loss, width), make_data(y, test))


@pytest.mark.parametrize(
    ("loss", "width", "y"),
    [
        (SPARSE, 3, [0, 1, 2]),
        ("mse", 1, [-1e9, 1e9]),
        ("binary_crossentropy", 1, [0.0, 0.25, 1.0]),
        (lambda y_true, y_pred: y_pred[:, 0], 1, [-5.0, 5.0]),
    ],
)
def test_targets_in_the_range_of_the_loss_pass(loss, width, y):
    check_targets(make_model(loss, width), make_data(y))
