"""Diagnoses from the test scores and those of the baselines."""

from tfkit.console import program_name
from tfkit.reporting.diagnostics.diagnosis import Diagnosis, balanced_classes, more_capacity, retrain_command
from tfkit.reporting.formatting import display_name, format_number, format_percent
from tfkit.reporting.run_results import RunResults
from tfkit.tasks.registry import get_task

MAX_BASELINE_LEAD = 0.05  # of a baseline's loss, up to which a model is as good

MIN_RECALL = 0.1  # of the positive class, below which it is hardly ever predicted

MIN_ROWS = 100  # for training

MAX_CHANCE_GAIN = 0.05  # the same, if the interval of the model contains the loss of the constant

MIN_GAIN = 0.01  # of the loss over that of a constant, below which inputs tell nothing

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
        f"{format_number(low)} to {format_number(high)} (95% interval). Try a hyperparameter search.",
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


def is_worse_than_baselines(record: RunResults) -> bool:
    """Whether the loss of the best baseline is lower by more than `MAX_BASELINE_LEAD`."""
    name, baselines = get_task(record.task).PRUNING_METRIC, record.metrics.get("baselines") or {}
    losses = [values[name] for values in baselines.values() if name in values]
    score = (record.metrics.get("test") or {}).get(name)
    return score is not None and bool(losses) and min(losses) < (1 - MAX_BASELINE_LEAD) * score


def too_few_rows(record: RunResults) -> Diagnosis | None:
    """Diagnose that there are too few training rows for a network: a simple baseline is better."""
    rows = (record.provenance.get("rows") or [MIN_ROWS])[0]
    if rows >= MIN_ROWS or not is_worse_than_baselines(record):
        return None
    return Diagnosis(
        "There are too few rows to train a network",
        f"There are {rows:,} training rows, and a simple baseline is better. Collect more rows, or use the baseline; "
        "the test rows are few, too, so all scores are uncertain.",
    )


def no_better_than_guessing(record: RunResults) -> Diagnosis | None:
    """Diagnose that neither the model nor a baseline predicts better than without inputs."""
    name = get_task(record.task).PRUNING_METRIC
    test, baselines = record.metrics.get("test") or {}, record.metrics.get("baselines") or {}
    constant = "dummy" if "dummy" in baselines else "naive"
    reference, model = (baselines.get(constant) or {}).get(name), test.get(name)
    informed = {b: values[name] for b, values in baselines.items() if b != constant and name in values}
    if not reference or model is None or not informed:
        return None
    gains = {"model": 1 - model / reference} | {b: 1 - value / reference for b, value in informed.items()}
    low, high = (record.metrics.get("intervals") or {}).get(name) or (model, model)
    is_by_chance = low <= reference <= high and max(gains.values()) <= MAX_CHANCE_GAIN
    if max(gains.values()) > MIN_GAIN and not is_by_chance:
        return None
    scores = ", ".join(f"{display_name(baseline)} {format_number(value)}" for baseline, value in informed.items())
    return Diagnosis(
        "No better than guessing: the inputs do not predict the target",
        f"{display_name(name)}: {constant} {format_number(reference)}, model {format_number(model)}, "
        f"{scores}. Check that the target is the right column, that its labels belong to their rows, and that columns "
        "with information are used.",
    )


def leakage(record: RunResults) -> Diagnosis | None:
    """Diagnose a column that alone predicts the target, found before training."""
    warning = next((text for text in record.provenance.get("warnings") or () if " alone predicts " in text), None)
    if warning is None:
        return None
    column = warning.partition(" alone predicts ")[0]
    return Diagnosis(
        f"{column} may give the target away",
        f"{warning[0].upper()}{warning[1:]}. If so, the scores are far too good, and new rows will be predicted worse.",
        retrain_command(record, exclude_columns=column),
    )


def _predicts_one_class(record: RunResults) -> bool:
    """Whether all test rows are predicted to be of one class."""
    recalls = [values["recall"] for values in (record.metrics.get("classes") or {}).values() if values.get("support")]
    has_one_class = get_task(record.task).OUTPUT_ACTIVATION == "softmax"
    return has_one_class and len(recalls) > 1 and max(recalls) == 1 and sum(recalls) == 1


def predicts_one_class(record: RunResults) -> Diagnosis | None:
    """Diagnose that the model predicts one class."""
    if _predicts_one_class(record):
        classes = record.metrics["classes"]
        predicted = next(name for name, values in classes.items() if values.get("recall") == 1)
        return Diagnosis(
            f"The model predicts {predicted} for every row",
            f"The recall of all other classes is 0; {format_percent(record.metrics['test']['accuracy'])} of the test "
            f"rows are {predicted}. Give all classes the same weight, or predict with another threshold (below).",
            retrain_command(record, **balanced_classes(record)),
        )
    scores, reference = record.metrics.get("test") or {}, (record.metrics.get("baselines") or {}).get("dummy") or {}
    needed = ("accuracy", "log_loss")
    if record.metadata.target.positive_class is None or not all(
        name in metrics for metrics in (scores, reference) for name in needed
    ):
        return None
    is_no_better = scores["accuracy"] <= reference["accuracy"] + 0.002 or scores.get("recall", 1.0) < MIN_RECALL
    if scores["log_loss"] > 0.9 * reference["log_loss"] or not is_no_better:
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
    if sum(counts.values()) < MIN_ROWS:
        return None  # all classes are rare
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
