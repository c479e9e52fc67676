"""Diagnoses from the test scores and those of the baselines."""

from tfkit.reporting.diagnostics.diagnosis import Diagnosis, more_capacity, retrain_command
from tfkit.reporting.formatting import number, percent, spoken
from tfkit.reporting.run_results import RunResults

RARE_CLASS_ROWS = 30  # training rows below which a class is rare

SKILL_METRICS = {
    "binary": "log_loss",
    "multiclass": "log_loss",
    "regression": "root_mean_squared_error",
    "forecast": "mase",
}


def baseline_wins(record: RunResults) -> Diagnosis | None:
    """Diagnose that a baseline is significantly better than the model."""
    comparison = record.metrics.get("best_baseline")
    if not comparison or not comparison["better"] or comparison["better"][1] >= 0:
        return None
    low, high = (-comparison["better"][1], -comparison["better"][0])
    baseline = spoken(comparison["baseline"])
    return Diagnosis(
        f"The baseline {baseline} is better than the model",
        f"{spoken(comparison['score'])}: model {number(comparison['own'])}, {baseline} {number(comparison['other'])} "
        f"on the same test rows. The baseline is better by {number(low)} to {number(high)} (95% CI). Try a "
        "hyperparameter search.",
        _tune_command(record),
    )


def _tune_command(record: RunResults) -> str:
    return retrain_command(record).replace("tfkit train", "tfkit tune", 1) + " --trials 20"


def under_fitting(record: RunResults) -> Diagnosis | None:
    """Diagnose underfitting, compared with the best baseline.

    The model reaches at most half of the improvement of the best baseline over the constant or naive baseline.
    """
    name = SKILL_METRICS.get(record.task)
    scores, baselines = record.metrics.get("test") or {}, record.metrics.get("baselines") or {}
    constant = (baselines.get("dummy") or baselines.get("naive") or {}).get(name)
    gains = {
        baseline: 1 - values[name] / constant for baseline, values in baselines.items() if constant and name in values
    }
    train, val = record.curve("loss"), record.curve("val_loss")
    if name is None or not gains or name not in scores or not len(train) or train.min() < 0.7 * val.min():
        return None
    best = max(gains, key=lambda baseline: gains[baseline])
    model_gain = 1 - scores[name] / constant
    if gains[best] < 0.05 or model_gain > 0.5 * gains[best]:
        return None
    return Diagnosis(
        "The model underfits",
        f"{spoken(name)} is {number(scores[name])}, {percent(max(model_gain, 0.0))} better than the constant or naive "
        f"baseline ({number(constant)}); {spoken(best)} is {percent(gains[best])} better. Training loss, "
        f"{number(float(train.min()))}, is not much lower than validation loss, {number(float(val.min()))}. Try more "
        "capacity.",
        retrain_command(record, **more_capacity(record)),
    )


def says_one_class(record: RunResults) -> Diagnosis | None:
    """Diagnose that the model predicts one class, despite a good log loss."""
    scores, constant = record.metrics.get("test") or {}, (record.metrics.get("baselines") or {}).get("dummy") or {}
    needed = ("accuracy", "log_loss")
    if not record.metadata.target.is_binary or not all(
        name in metrics for metrics in (scores, constant) for name in needed
    ):
        return None
    if scores["log_loss"] > 0.9 * constant["log_loss"] or scores["accuracy"] > constant["accuracy"] + 0.002:
        return None
    positive = record.metadata.target.positive_class
    return Diagnosis(
        "The log loss is good, but the model almost always predicts one class",
        f"Log loss is {number(scores['log_loss'])} (constant baseline: {number(constant['log_loss'])}), but accuracy "
        f"is {number(scores['accuracy'])} (constant baseline: {number(constant['accuracy'])}); recall of {positive} is "
        f"{number(scores.get('recall', 0.0))}. Choose another decision threshold (below) or use class weights.",
        retrain_command(record, class_weights="true") if "class_weights" in record.config else retrain_command(record),
    )


def few_rows(record: RunResults) -> Diagnosis | None:
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
        f"{name}: {count} training rows, recall {percent(recall)}" for name, count, recall in rare[:5]
    )
    more = f"; and {len(rare) - 5} more classes" if len(rare) > 5 else ""
    changes = {"balance_classes": "true"} if record.config.get("balance_classes") is False else {}
    return Diagnosis(
        "A class has too few training rows",
        f"{listed_classes}{more}. Collect more rows of these classes or use class weights.",
        retrain_command(record, **changes),
    )
