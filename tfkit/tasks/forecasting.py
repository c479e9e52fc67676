"""The forecasting task: quantiles of the next values of a series."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.datasets.windows import allocate_window_targets
from tfkit.tasks.task import Task
from tfkit.tasks.validation import check_predictions
from tfkit.tasks.weighted_sums import Metric, ratio

if TYPE_CHECKING:
    import keras
    import pandas as pd

MAX_COVERAGE_ERROR = 0.12  # of prediction intervals on the test split, without a warning
ORIGIN_COLUMN = "forecast_origin"  # of predictions.csv: the last time whose value the forecast knows


class Forecasting(Task):
    """The forecasting task: quantiles of the next values of a series."""

    NAME = "forecasting"
    LOSSES = ("quantile", "mse")  # the first is the default
    METRICS = dict.fromkeys(
        (
            "mase",
            "mean_absolute_error",
            "root_mean_squared_error",
            "smape",
            "standardized_mean_squared_error",
            "standardized_mean_absolute_error",
        ),
        "min",
    )
    PRUNING_METRIC = "mase"
    ROW_LOSS_NAME = "mean absolute error"
    ROW_ERROR_NAME = "mean absolute error"
    REPORT_SECTIONS = ("forecast",)
    ANALYSES = ()

    def make_loss(self, name: str, metadata: Any) -> "keras.losses.Loss":
        """Create a loss on forecasts `(batch, horizon, quantiles)` by its name."""
        import keras

        from tfkit import losses

        return keras.losses.MeanSquaredError() if name == "mse" else losses.QuantileLoss(metadata.quantiles)

    def make_postprocessor(self, metadata: Any) -> "keras.Model":
        """Keras layers from scaled forecasts to the units of the series; see `tfkit.data.forecasting`."""
        from tfkit.data.forecasting.preprocessing import make_postprocessor as make

        return make(metadata)

    def num_outputs(self, metadata: Any) -> int:
        """The number of model outputs per step: one per quantile."""
        return len(metadata.quantiles)

    def validate_predictions(self, y_true: Any, y_pred: Any, metadata: Any) -> tuple[np.ndarray, np.ndarray]:
        """Window targets and predictions `(windows, horizon[, quantiles])` as arrays; raise if they are invalid.

        Targets are a structured array with the fields `series` and `values`, see `tfkit.datasets.windows`.
        """
        y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
        expected = y_true["values"].shape + ((self.num_outputs(metadata),) if y_pred.ndim == 3 else ())
        check_predictions(y_pred, len(y_true), expected)
        return y_true, y_pred.astype("float64")

    def make_metrics(self, y_true: np.ndarray, y_pred: np.ndarray, metadata: Any) -> list[Metric]:
        """Create the metrics of validated predictions: MAE, RMSE, sMAPE, MASE, coverage of each interval.

        A row is a window: the code of its series, and a value for each step, NaN if missing. Predictions have one value
        for each step, or one for each step and quantile. MASE divides by the error of the seasonal naive forecast in
        training.
        """
        values, is_present = y_true["values"], np.isfinite(y_true["values"])
        quantiles = list(metadata.quantiles) if y_pred.ndim == 3 else []
        middle = y_pred[..., len(quantiles) // 2] if quantiles else y_pred
        error = np.abs(np.where(is_present, values - middle, 0.0))
        scales = {
            name: _by_series(y_true["series"], getattr(metadata.series, name)) for name in ("naive_error", "scale")
        }
        size = np.where(is_present, np.abs(values) + np.abs(middle), 0.0)
        sums = {  # name -> sum and count of each window
            "mean_absolute_error": (error.sum(1), is_present.sum(1)),
            "root_mean_squared_error": (np.square(error).sum(1), is_present.sum(1)),
            "smape": (200 * ratio(error, size, size >= 0).sum(1), is_present.sum(1)),
            "mase": _scaled(error.sum(1), is_present.sum(1), scales["naive_error"]),
        }
        if len(metadata.series.names) > 1:
            sums["standardized_mean_squared_error"] = _scaled(
                np.square(error).sum(1), is_present.sum(1), scales["scale"] ** 2
            )
            sums["standardized_mean_absolute_error"] = _scaled(error.sum(1), is_present.sum(1), scales["scale"])
        for i in range(len(quantiles) // 2):
            inside = is_present & (y_pred[..., i] <= values) & (values <= y_pred[..., -1 - i])
            sums[f"coverage_{100 * (quantiles[-1 - i] - quantiles[i]):.0f}"] = (inside.sum(1), is_present.sum(1))

        def metric(weights: np.ndarray) -> dict[str, np.ndarray]:
            means = {name: ratio(total @ weights, counts @ weights) for name, (total, counts) in sums.items()}
            return means | {"root_mean_squared_error": np.sqrt(means["root_mean_squared_error"])}

        return [metric]

    def score_warnings(self, scores: Mapping[str, float], metadata: Any) -> list[str]:
        """Describe prediction intervals whose coverage is far from nominal.

        Example:
            >>> from types import SimpleNamespace
            >>> TASK.score_warnings({"coverage_80": 0.61}, SimpleNamespace(quantiles=[0.1, 0.5, 0.9]))
            ['Prediction intervals are too narrow: the 80% interval covers 61% of the test values']
        """
        quantiles, texts = metadata.quantiles, []
        for i in range(len(quantiles) // 2):
            percent = f"{100 * (quantiles[-1 - i] - quantiles[i]):.0f}"
            coverage, nominal = scores.get(f"coverage_{percent}", np.nan), quantiles[-1 - i] - quantiles[i]
            if abs(coverage - nominal) > MAX_COVERAGE_ERROR:
                width = "narrow" if coverage < nominal else "wide"
                texts.append((width, f"the {percent}% interval covers {coverage:.0%} of the test values"))
        return [f"Prediction intervals are too {texts[0][0]}: {', '.join(text for _, text in texts)}"] if texts else []

    def row_losses(self, y_true: Any, y_pred: np.ndarray, metadata: Any) -> np.ndarray:
        """The mean absolute error of the median of each window, `(windows,)`; 0 if all its values are missing."""
        middle = y_pred[..., y_pred.shape[-1] // 2] if y_pred.ndim == 3 else y_pred
        is_present = np.isfinite(y_true["values"])
        error = np.abs(np.where(is_present, y_true["values"] - middle, 0.0)).sum(1)
        return ratio(error, is_present.sum(1), np.full(len(error), True))

    def predictions_to_frame(self, outputs: np.ndarray, metadata: Any) -> "pd.DataFrame":
        """One row per step of each window: `predicted` (the median), then `low_80`, `high_80` of each interval."""
        import pandas as pd

        quantiles, values = metadata.quantiles, outputs.reshape(-1, outputs.shape[-1])
        columns = {"predicted": values[:, len(quantiles) // 2]}
        for i in reversed(range(len(quantiles) // 2)):  # the narrowest interval first
            percent = f"{100 * (quantiles[-1 - i] - quantiles[i]):.0f}"
            columns |= {f"low_{percent}": values[:, i], f"high_{percent}": values[:, -1 - i]}
        return pd.DataFrame(columns)

    def test_frame(self, dataset: Any, y_true: Any, y_pred: np.ndarray, metadata: Any) -> "pd.DataFrame":
        """The rows of predictions.csv: series, last known time, time, `actual` and predictions of every test window."""
        windows = np.arange(len(dataset))
        frame, columns = dataset.timestamps(windows), metadata.time["columns"]
        origins = dataset.origins(windows)[columns]
        texts = origins[columns[0]].str.cat(origins[columns[1:]], sep=" ") if len(columns) > 1 else origins[columns[0]]
        position = int(frame.columns[0] not in columns)  # after the series
        frame.insert(position, ORIGIN_COLUMN, np.repeat(texts.to_numpy(object), metadata.horizon))
        frame["actual"] = y_true["values"].ravel()
        return frame.join(self.predictions_to_frame(y_pred, metadata))

    def read_test_frame(self, path: Path, metadata: Any) -> tuple[np.ndarray, np.ndarray]:
        """Window targets and predictions of a predictions.csv."""
        import pandas as pd

        column, names = metadata.series_id_column or "series", [str(name) for name in metadata.series.names]
        texts = dict.fromkeys(
            (column, ORIGIN_COLUMN, *metadata.time["columns"]), "str"
        )  # "0001" and "NA" are series ids
        frame, horizon = (
            pd.read_csv(path, dtype=texts, keep_default_na=False, na_values={"actual": [""]}),
            metadata.horizon,
        )
        y_true = allocate_window_targets(len(frame) // horizon, horizon)
        y_true["values"] = frame["actual"].to_numpy("float64").reshape(-1, horizon)
        if column in frame:
            y_true["series"] = frame[column].iloc[::horizon].map({name: code for code, name in enumerate(names)})
        interval_columns: Sequence[str] = [name for name in frame.columns if name.startswith(("low_", "high_"))]
        half = len(metadata.quantiles) // 2
        lows, highs = interval_columns[0::2][::-1], interval_columns[1::2]
        ordered = [*lows[:half], "predicted", *highs[:half]]
        return y_true, frame[ordered].to_numpy("float64").reshape(-1, horizon, len(ordered))

    def comparable_targets(self, y_true: Any) -> np.ndarray:
        """The targets as an array, to see whether two runs were tested on the same rows."""
        return y_true["values"]


def _by_series(codes: np.ndarray, values: Sequence[float]) -> np.ndarray:
    """Return the value of the series of each row; 0 for an unknown series."""
    return np.append(np.asarray(values, "float64"), 0.0)[codes]  # code -1 (unknown) is the last element


def _scaled(total: np.ndarray, counts: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Divide sums by a scale; rows with scale 0 do not count."""
    return ratio(total, scale, scale >= 0), np.where(scale > 0, counts, 0)


TASK = Forecasting()
