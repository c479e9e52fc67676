"""Tests of the dataset of windows."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from tfkit.datasets.array import keras_inputs
from tfkit.datasets.windows import WindowDataset

VALUES = np.arange(20.0)
HOURS = np.stack([np.arange(20.0) % 5, np.arange(20.0) / 8], 1)


def windows(**options):
    """Two series, of 12 and 8 steps, the second with an imputed value."""
    return WindowDataset(
        VALUES,
        [4, 5, 8, 16],
        context_length=3,
        horizon=2,
        covariates={"calendar": HOURS},
        is_observed=np.arange(20) != 17,
        series=np.repeat([0, 1], [12, 8]),
        weight=[0.5, 2.0],
        **options,
    )


@pytest.mark.parametrize("kind", [list, np.array, tf.constant])
def test_take_returns_windows_targets_and_weights(kind):
    x, y, weight = windows().take(kind([3, 0]))
    np.testing.assert_array_equal(x["values"], [[13, 14, 15], [1, 2, 3]])
    np.testing.assert_array_equal(x["calendar"][1], HOURS[1:6])
    np.testing.assert_array_equal(y, [[[16], [17]], [[4], [5]]])
    np.testing.assert_array_equal(weight, [[2, 0], [0.5, 0.5]])


def test_take_works_in_a_compiled_function():
    split = windows()
    compiled = tf.function(split.take, input_signature=[tf.TensorSpec((None,), tf.int32)])
    for indices in ([2, 1], [0], []):
        x, y, _ = compiled(tf.constant(indices, tf.int32))
        assert x["calendar"].shape == (len(indices), 5, 2)
        targets = [VALUES[split.forecast_starts[index] :][:2] for index in indices]
        np.testing.assert_array_equal(y[..., 0], targets or np.zeros((0, 2)))
    np.testing.assert_array_equal(split.take([0])[1][0, :, 0], [4, 5])


def test_the_preprocessor_changes_x_and_not_the_raw_inputs():
    split = windows(preprocessor=lambda raw: {"double": 2 * raw["values"]})
    x, _, _ = split.take([0])
    assert list(x) == ["double"]
    np.testing.assert_array_equal(x["double"], [[2, 4, 6]])
    raw = split.raw_inputs([0])
    np.testing.assert_array_equal(raw["values"], [[1, 2, 3]])
    assert raw["calendar"].shape == (1, 5, 2)
    assert keras_inputs(split)["double"].shape == (None, 3)


def test_targets_have_series_codes_and_nan_where_imputed():
    targets = windows().targets()
    np.testing.assert_array_equal(targets["series"], [0, 0, 0, 1])
    np.testing.assert_array_equal(targets["values"], [[4, 5], [5, 6], [8, 9], [16, np.nan]])


def test_history_is_nan_before_the_start_of_the_series():
    np.testing.assert_array_equal(windows().history(5)[[0, 3]], [[np.nan, 0, 1, 2, 3], [np.nan, 12, 13, 14, 15]])
    np.testing.assert_array_equal(windows().history(1)[:, 0], [3, 4, 7, 15])


def test_non_overlapping_windows():
    split = WindowDataset(
        VALUES, [3, 4, 5, 6, 15, 16, 17], context_length=3, horizon=2, series=np.repeat([0, 1], [10, 10])
    )
    assert split.non_overlapping().tolist() == [0, 2, 4, 6]


def test_timestamps_of_every_target():
    split = windows(lookup_timestamps=lambda steps: pd.DataFrame({"step": steps}))
    assert split.timestamps([0, 3])["step"].tolist() == [4, 5, 16, 17]
    with pytest.raises(ValueError, match="Timestamps need `lookup_timestamps`"):
        windows().timestamps([0])


def test_concatenated_windows():
    first = windows()
    first.take([0])  # tensors of the first dataset must not be reused
    combined = first.concatenate(WindowDataset(VALUES, [13], context_length=3, horizon=2))
    assert len(combined) == 5
    np.testing.assert_array_equal(combined.take([4])[1][0, :, 0], [13, 14])


@pytest.mark.parametrize(
    ("forecast_starts", "message"),
    [
        ([], "at least one window. Received: none"),
        ([2], "must lie within the values. Received: context_length=3, horizon=2"),
        ([3, 19], "20 values, starts from 3 to 19"),
    ],
)
def test_invalid_windows_are_rejected(forecast_starts, message):
    with pytest.raises(ValueError, match=message):
        WindowDataset(VALUES, forecast_starts, context_length=3, horizon=2)
