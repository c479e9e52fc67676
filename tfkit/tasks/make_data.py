"""Assembly of `Data` from datasets and metadata: what the recipes have in common."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tfkit.datasets.array import ArrayDataset
from tfkit.metadata import Metadata
from tfkit.recipe import Data
from tfkit.tasks.primary_metric import resolve_metric
from tfkit.tasks.registry import get_task


def make_data(
    config: Any,
    datasets: Sequence[Any],
    metadata: Metadata,
    preprocessor: Any,
    *,
    auto_settings: Mapping[str, Any],
    postprocessor: Any = None,
    augment: Callable[..., Any] | None = None,
    calibrate: Callable[..., Any] | None = None,
) -> Data:
    """Assemble `Data`: refit on all rows where the settings ask for it, weights of classes, postprocessing.

    Args:
        config: The settings; `refit`, `balance_classes` and `learning_rate_schedule` are used if the recipe has them.
        datasets: Training, validation and test dataset.
        metadata: What was fitted on the training rows.
        preprocessor: Keras layers from raw rows to the inputs of the model.
        auto_settings: Values of the settings that are "auto"; `task`, `loss` and `metric` have those of the task as
            default, and `refit` becomes False with the schedule "plateau", which needs validation rows.
        postprocessor: Keras layers from model outputs to the units of the user; None for that of the task.
        augment, calibrate: As in `Data`.

    Raises:
        UserError: If classes are to be balanced, and the target is a number.
    """
    train, val, test = datasets
    task = get_task(metadata.task)
    metadata.notes += task.target_notes(metadata.target)
    auto = {"task": metadata.task, "loss": next(iter(task.LOSSES), None), **auto_settings}
    balance = getattr(config, "balance_classes", False)
    metadata.metric = resolve_metric(getattr(config, "metric", "auto"), metadata, balance_classes=balance)
    auto["metric"] = metadata.metric
    if "refit" in auto:
        auto["refit"] = bool(auto["refit"]) and config.learning_rate_schedule != "plateau"
    refit = getattr(config, "refit", False)
    refit_dataset = train.concatenate(val) if (auto.get("refit") if refit == "auto" else refit) else None
    if balance:
        train = balance_classes(train, metadata)
        refit_dataset = refit_dataset and balance_classes(refit_dataset, metadata)
    postprocessor = postprocessor or task.make_postprocessor(metadata)
    return Data(train, val, test, metadata, preprocessor, postprocessor, augment, auto, refit_dataset, calibrate)


def balance_classes(dataset: ArrayDataset, metadata: Metadata) -> ArrayDataset:
    """Weight rows by inverse class frequency, so that all classes have the same total weight.

    Raises:
        UserError: If the target does not have classes.
    """
    weights = get_task(metadata.task).balanced_weights(dataset.arrays[1], metadata.target)
    return dataset.with_sample_weight(weights)
