"""A subset has the rows of its dataset, in the order of its indices."""

import numpy as np
import pytest
import tensorflow as tf

import tfkit
from tfkit.datasets.subset import Subset

NUM_ROWS = 7


@pytest.fixture(scope="module")
def dataset():
    rows = np.arange(float(NUM_ROWS))
    return tfkit.ArrayDataset({"a": rows[:, None]}, rows, rows / 2, raw={"a": rows.astype(str)[:, None]})


@pytest.mark.parametrize("indices", [[3, 1], [0], list(range(NUM_ROWS)), [6, 6, 2], [5, 4, 3, 2]], ids=str)
def test_rows_are_those_of_the_dataset(dataset, indices):
    subset = Subset(dataset, np.array(indices))
    order = np.arange(len(indices))[::-1]
    x, y, weight = subset.take(order)
    assert len(subset) == len(indices)
    assert y.numpy().tolist() == weight.numpy().__mul__(2).tolist() == x["a"].numpy()[:, 0].tolist() == indices[::-1]
    assert subset.raw_inputs(order)["a"][:, 0].tolist() == [f"{index:.1f}" for index in indices[::-1]]


def test_rows_are_gathered_in_a_compiled_function(dataset):
    subset = Subset(Subset(dataset, np.array([5, 3, 1])), np.array([2, 0]))
    assert tf.function(lambda indices: subset.take(indices)[1])(tf.constant([0, 1])).numpy().tolist() == [1, 5]
