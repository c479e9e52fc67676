"""What the scores say, beside those of the baselines."""

from tfkit.report.judgements.judgement import Judgement, again, larger
from tfkit.report.reading import Record
from tfkit.report.words import number, percent, spoken

FEW = 30  # training rows of a class
SKILLS = {"binary": "log_loss", "multiclass": "log_loss", "regression": "root_mean_squared_error", "forecast": "mase"}


def baseline_wins(record: Record) -> Judgement | None:
    """A baseline is better by more than chance."""
    found = record.metrics.get("against")
    if not found or not found["better"] or found["better"][1] >= 0:
        return None
    low, high = (-found["better"][1], -found["better"][0])
    return Judgement(
        f"The baseline {spoken(found['baseline'])} is better",
        f"{spoken(found['score'])}: model {number(found['own'])}, {spoken(found['baseline'])} {number(found['other'])} "
        f"on the same test rows; it is better by {number(low)} to {number(high)} (95% interval).",
        _tuned(record),
    )


def _tuned(record: Record) -> str:
    return again(record).replace("tfkit train", "tfkit tune", 1) + " --trials 20"


def under_fitting(record: Record) -> Judgement | None:
    """The model has learnt less than half of what a baseline has."""
    name = SKILLS.get(record.task)
    scores, baselines = record.metrics.get("test") or {}, record.metrics.get("baselines") or {}
    constant = (baselines.get("constant") or baselines.get("naive") or {}).get(name)
    others = {word: 1 - each[name] / constant for word, each in baselines.items() if constant and name in each}
    train, val = record.curve("loss"), record.curve("val_loss")
    if name is None or not others or name not in scores or not len(train) or train.min() < 0.7 * val.min():
        return None
    best = max(others, key=lambda word: others[word])
    own = 1 - scores[name] / constant
    if others[best] < 0.05 or own > 0.5 * others[best]:
        return None
    return Judgement(
        "It under-fits: it has not learnt what there is to learn",
        f"{spoken(name)} is {number(scores[name])}, {percent(max(own, 0.0))} better than saying the same of every row "
        f"({number(constant)}); {spoken(best)} gets {percent(others[best])} better. Training loss, "
        f"{number(float(train.min()))}, is no better than validation loss, {number(float(val.min()))}.",
        again(record, **larger(record)),
    )


def says_one_class(record: Record) -> Judgement | None:
    """The probabilities are worth something, and the decisions nothing."""
    scores, constant = record.metrics.get("test") or {}, (record.metrics.get("baselines") or {}).get("constant") or {}
    needed = ("accuracy", "log_loss")
    if record.task != "binary" or not all(name in part for part in (scores, constant) for name in needed):
        return None
    if scores["log_loss"] > 0.9 * constant["log_loss"] or scores["accuracy"] > constant["accuracy"] + 0.002:
        return None
    positive = record.info["target"]["positive"]
    return Judgement(
        "The loss is good, but accuracy is not: it hardly ever says yes",
        f"Log loss is {number(scores['log_loss'])} against {number(constant['log_loss'])} of a constant, yet accuracy "
        f"is {number(scores['accuracy'])} against {number(constant['accuracy'])}; recall of {positive} is "
        f"{number(scores.get('recall', 0.0))}. Choose another threshold, below, or weigh the classes.",
        again(record, class_weights="true") if "class_weights" in record.config else again(record),
    )


def few_rows(record: Record) -> Judgement | None:
    """A class with few training rows that is seldom found."""
    counts = record.info["target"].get("counts") or {}
    classes = record.metrics.get("classes") or {}
    poor = [
        (str(name), count, classes[str(name)]["recall"])
        for name, count in counts.items()
        if count < FEW and classes.get(str(name), {}).get("recall", 1.0) < 0.5
    ]
    if not poor:
        return None
    poor.sort(key=lambda one: one[1])
    said = "; ".join(f"{name}: {count} training rows, {percent(recall)} found" for name, count, recall in poor[:5])
    more = f"; and {len(poor) - 5} more classes" if len(poor) > 5 else ""
    changes = {"class_weights": "true"} if record.config.get("class_weights") is False else {}
    return Judgement(
        "Too few rows of a class",
        f"{said}{more}. Label more of these, or let them weigh more.",
        again(record, **changes),
    )
