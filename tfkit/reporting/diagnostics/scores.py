"""Diagnoses from the test scores and those of the baselines."""

from tfkit.console import program_name
from tfkit.reporting.diagnostics.diagnosis import Diagnosis, balanced_classes, more_capacity, retrain_command
from tfkit.reporting.formatting import display_name, format_number, format_percent
from tfkit.reporting.run_results import RunResults
from tfkit.tasks.registry import get_task

RARE_CLASS_ROWS = 30  # training rows below which a class is rare


def baseline_wins(record: RunResults) -> Diagnosis | None:
    """Diagnose that a baseline is significantly better than the model."""
    comparison = record.metrics.get("best_baseline")
    if not comparison or not comparison["better"] or comparison["better"][1] >= 0:
        return None
    low, high = (-comparison["better"][1], -comparison["better"][0])
    baseline = display_name(comparison["baseline"])
    return Diagnosis(
        f"The baseline {baseline} is better than the model",
        f"{display_name(comparison['score'])}: model {format_number(comparison['model'])}, {baseline} "
        f"{format_number(comparison['baseline_score'])} on the same test rows. The baseline is better by "
        f"{format_number(low)} to {format_number(high)} (95% CI). Try a hyperparameter search.",
        _tune_command(record),
    )


def _tune_command(record: RunResults) -> str:
    return retrain_command(record).replace(f"{program_name()} train", f"{program_name()} tune", 1) + " --trials 20"


def underfitting(record: RunResults) -> Diagnosis | None:
    """Diagnose underfitting, compared with the best baseline.

    The model reaches at most half of the improvement of the best baseline over the dummy or naive baseline.
    """
    name = get_task(record.task).PRUNING_METRIC
    scores, baselines = record.metrics.get("test") or {}, record.metrics.get("baselines") or {}
    reference = (baselines.get("dummy") or baselines.get("naive") or {}).get(name)
    gains = {
        baseline: 1 - values[name] / reference for baseline, values in baselines.items() if reference and name in values
    }
    train, val = record.curve("loss"), record.curve("val_loss")
    if not gains or name not in scores or not len(train) or train.min() < 0.7 * val.min():
        return None
    best = max(gains, key=lambda baseline: gains[baseline])
    model_gain = 1 - scores[name] / reference
    if gains[best] < 0.05 or model_gain > 0.5 * gains[best]:
        return None
    return Diagnosis(
        "The model underfits",
        f"{display_name(name)} is {format_number(scores[name])}, {format_percent(max(model_gain, 0.0))} better than "
        f"the dummy or naive baseline ({format_number(reference)}); {display_name(best)} is "
        f"{format_percent(gains[best])} better. Training loss, {format_number(train.min())}, is not much lower than "
        f"validation loss, {format_number(val.min())}. Try more capacity.",
        retrain_command(record, **more_capacity(record)),
    )


def predicts_one_class(record: RunResults) -> Diagnosis | None:
    """Diagnose that the model predicts one class, despite a good log loss."""
    scores, reference = record.metrics.get("test") or {}, (record.metrics.get("baselines") or {}).get("dummy") or {}
    needed = ("accuracy", "log_loss")
    if record.metadata.target.positive_class is None or not all(
        name in metrics for metrics in (scores, reference) for name in needed
    ):
        return None
    if scores["log_loss"] > 0.9 * reference["log_loss"] or scores["accuracy"] > reference["accuracy"] + 0.002:
        return None
    positive = record.metadata.target.positive_class
    return Diagnosis(
        "The log loss is good, but the model almost always predicts one class",
        f"Log loss is {format_number(scores['log_loss'])} (dummy baseline: "
        f"{format_number(reference['log_loss'])}), but accuracy is {format_number(scores['accuracy'])} (dummy "
        f"baseline: {format_number(reference['accuracy'])}); recall of {positive} is "
        f"{format_number(scores.get('recall', 0.0))}. Choose another decision threshold (below) or use class weights.",
        retrain_command(record, **balanced_classes(record)),
    )


def rare_class(record: RunResults) -> Diagnosis | None:
    """Diagnose classes with few training rows and low recall."""
    counts = record.metadata.target.counts or {}
    classes = record.metrics.get("classes") or {}
    rare = [
        (str(name), count, classes[str(name)]["recall"])
        for name, count in counts.items()
        if count < RARE_CLASS_ROWS and classes.get(str(name), {}).get("recall", 1.0) < 0.5
    ]
    if not rare:
        return None
    rare.sort(key=lambda entry: entry[1])
    listed_classes = "; ".join(
        f"{name}: {count} training rows, recall {format_percent(recall)}" for name, count, recall in rare[:5]
    )
    more = f"; and {len(rare) - 5} more classes" if len(rare) > 5 else ""
    changes = {"balance_classes": "true"} if record.config.get("balance_classes") is False else {}
    return Diagnosis(
        "A class has too few training rows",
        f"{listed_classes}{more}. Collect more rows of these classes or use class weights.",
        retrain_command(record, **changes),
    )
