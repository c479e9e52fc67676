"""Tests of data drift: the population stability index and its warning."""

import logging

import numpy as np
import pytest

from tfkit.data.drift import DRIFT_THRESHOLD, drift, fit_reference, fit_reference_stats, log_drift
from tfkit.metadata import Metadata

RANDOM = np.random.default_rng(0)
METADATA = Metadata(inputs={"a_b": {"column": "a/b"}})


def column(values):
    return {"a_b": np.asarray(values).reshape(-1, 1)}


def test_index_equals_its_formula():
    stats = fit_reference(column([0.0] * 50 + [1.0] * 50 + [np.nan] * 100), METADATA)
    new_rows = column([0.0] * 20 + [1.0] * 80)
    p, q = np.array([0.5, 0.25, 0.25]), np.array([1e-4, 0.2, 0.8])
    num_bins = len(stats["a_b"]["shares"])
    assert sorted(stats["a_b"]["shares"])[-3:] == [0.25, 0.25, 0.5]
    noise = (num_bins - 1) * (1 / 200 + 1 / 100)
    expected = ((q - p) * np.log(q / p)).sum() - noise
    assert drift(new_rows, stats)["a/b"] == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(
    ("train", "same", "drifted"),
    [
        (RANDOM.normal(size=2000), RANDOM.normal(size=300), RANDOM.normal(1.5, 1, 300)),
        (RANDOM.choice(["a", "b"], 2000), RANDOM.choice(["a", "b"], 300), np.array(["a", "new"] * 150)),
        (np.array(["x" * 40] * 2000), np.array(["y" * 40] * 300), np.array(["x" * 400] * 300)),
        (RANDOM.normal(size=2000), RANDOM.normal(size=300), np.full(300, np.nan)),
    ],
    ids=["numbers", "categories", "texts", "missing"],
)
def test_drifted_columns_are_detected(train, same, drifted):
    to_column = lambda values: column(values.astype(object) if values.dtype.kind == "U" else values)  # noqa: E731
    stats = fit_reference(to_column(train), METADATA)
    assert drift(to_column(same), stats)["a/b"] < 0.1
    assert drift(to_column(drifted), stats)["a/b"] > DRIFT_THRESHOLD


def test_sampling_noise_of_few_rows_is_no_drift():
    stats = fit_reference(column(RANDOM.normal(size=5000)), METADATA)
    false_alarms = sum(drift(column(RANDOM.normal(size=60)), stats)["a/b"] > DRIFT_THRESHOLD for _ in range(200))
    assert false_alarms <= 10
    assert drift(column(np.full(49, 9.0)), stats) == {}  # fewer rows than MIN_ROWS


def test_images_are_compared_by_their_means():
    dark, light = (RANDOM.integers(low, low + 100, (200, 8, 8, 1)).astype("uint8") for low in (0, 150))
    stats = fit_reference({"pixels": dark}, Metadata())
    assert drift({"pixels": light}, stats)["pixels"] > DRIFT_THRESHOLD
    assert drift({"pixels": dark}, stats)["pixels"] == 0


def test_drifted_columns_are_logged_in_order_of_their_index(caplog):
    names = ["none", "large", "small"]
    train = {name: RANDOM.normal(size=(1000, 1)) for name in names}
    stats = fit_reference(train, Metadata())
    new_rows = {name: RANDOM.normal(shift, 1, (1000, 1)) for name, shift in zip(names, (0, 4, 1), strict=True)}
    with caplog.at_level(logging.WARNING, "tfkit"):
        log_drift(train, stats)
        assert not caplog.records
        log_drift(new_rows, stats)
    [message] = [record.getMessage() for record in caplog.records]
    assert message.startswith("Data drift from the training rows (population stability index above 0.25): large ")
    assert message.index("large ") < message.index("small ")
    assert "none " not in message


def test_split_without_raw_rows_has_no_stats():
    import tfkit

    assert fit_reference_stats(tfkit.ArrayDataset(np.zeros((3, 1))), METADATA) == {}
