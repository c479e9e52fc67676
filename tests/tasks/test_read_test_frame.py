"""predictions.csv is read back with the names that were written."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tfkit.metadata import Metadata, Target
from tfkit.tasks import get_task

NAMES = ["0001", "NA", "1e5", "True", "007.0", "null", "2024-01-01", "a,b", '"q"', "None"]


@pytest.mark.parametrize("column", ["unique_id", None])
def test_forecasts_of_series_with_any_name(column, tmp_path):
    metadata = SimpleNamespace(
        horizon=2,
        series_id_column=column,
        time={"columns": ["time"]},
        series=SimpleNamespace(names=NAMES),
        quantiles=[0.1, 0.5, 0.9],
    )
    rows = np.arange(2.0 * len(NAMES))
    frame = pd.DataFrame({column or "series": np.repeat(NAMES, 2), "time": "2024-01-01", "actual": rows})
    frame["actual"] = frame["actual"].where(frame["actual"] != 3)
    frame = frame.assign(predicted=rows, low_80=rows - 1, high_80=rows + 1)
    frame.to_csv(tmp_path / "predictions.csv", index=False)
    y_true, y_pred = get_task("forecasting").read_test_frame(tmp_path / "predictions.csv", metadata)
    assert y_true["series"].tolist() == list(range(len(NAMES)))
    np.testing.assert_array_equal(y_true["values"].ravel(), frame["actual"].to_numpy("float32"))
    np.testing.assert_allclose(y_pred, np.stack([rows - 1, rows, rows + 1], 1).reshape(-1, 2, 3))


def test_classes_with_any_name(tmp_path):
    metadata = Metadata(target=Target(task="classification", classes=NAMES))
    y_pred = np.eye(len(NAMES)) * 0.75 + 0.025
    codes = np.arange(len(NAMES))[::-1]
    get_task("classification").test_frame(None, codes, y_pred, metadata).to_csv(
        tmp_path / "predictions.csv", index=False
    )
    y_true, read_predictions = get_task("classification").read_test_frame(tmp_path / "predictions.csv", metadata)
    assert y_true.tolist() == codes.tolist()
    np.testing.assert_allclose(read_predictions, y_pred)
