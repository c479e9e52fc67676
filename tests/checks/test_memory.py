from types import SimpleNamespace

import keras
import numpy as np
import pytest

import tfkit
from tfkit.checks.memory import check_memory, memory, row_bytes
from tfkit.errors import UserError


@pytest.fixture(scope="module")
def made():
    """A model that makes of 100 numbers 1000, then 1."""
    x = keras.Input((100,))
    model = keras.Model(x, keras.layers.Dense(1)(keras.layers.Dense(1000, use_bias=False)(x)))
    return model, SimpleNamespace(train=tfkit.Rows(np.zeros((3, 100), "float32")))


def test_what_a_row_makes_is_counted(made):
    assert 4 * 1001 <= row_bytes(*made) <= 4 * 1001 * 1.5


def test_a_batch_that_cannot_fit_is_refused_with_one_that_can(made):
    model, data = made
    row, weights = row_bytes(*made), 4 * 4 * model.count_params()
    check_memory(model, data, 64, weights + 64 * row)
    with pytest.raises(UserError, match=r"A batch must fit into memory; give batch_size=64. Received: batch_size=200"):
        check_memory(model, data, 200, weights + 100 * row)
    with pytest.raises(UserError, match="make the model smaller"):
        check_memory(model, data, 1, weights)


def test_the_memory_of_this_machine_is_known_and_passes(made):
    assert memory() is None or memory() > 2**20
    check_memory(*made, 32)
