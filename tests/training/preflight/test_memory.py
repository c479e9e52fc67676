"""Tests of the memory check before training."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

import tfkit
from tfkit.errors import UserError
from tfkit.training.preflight.memory import check_memory, forward_bytes_per_row, free_memory_bytes


@pytest.fixture(scope="module")
def model_and_data():
    """Create a model with 100 inputs, 1000 hidden units and one output, and its data."""
    x = keras.Input((100,))
    model = keras.Model(x, keras.layers.Dense(1)(keras.layers.Dense(1000, use_bias=False)(x)))
    return model, SimpleNamespace(train=tfkit.ArrayDataset(np.zeros((3, 100), "float32")))


def test_forward_bytes_are_those_of_all_tensors(model_and_data):
    assert 4 * 1001 <= forward_bytes_per_row(*model_and_data) <= 4 * 1001 * 1.5


def test_batch_that_does_not_fit_is_rejected_with_one_that_does(model_and_data):
    model, data = model_and_data
    row_bytes, weight_bytes = forward_bytes_per_row(*model_and_data), 4 * 4 * model.count_params()
    check_memory(model, data, 64, weight_bytes + 64 * row_bytes)
    with pytest.raises(UserError, match=r"A batch must fit into memory; set batch_size=64. Received: batch_size=200"):
        check_memory(model, data, 200, weight_bytes + 100 * row_bytes)
    with pytest.raises(UserError, match="make the model smaller"):
        check_memory(model, data, 1, weight_bytes)


def test_free_memory_of_this_machine_is_sufficient(model_and_data):
    assert free_memory_bytes() is None or free_memory_bytes() > 2**20
    check_memory(*model_and_data, 32)
