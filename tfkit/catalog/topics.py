"""Paragraphs on settings and metrics, for `tfkit show TOPIC` and the guide of training."""

import re
from pathlib import Path

FILE = Path(__file__).with_name("topics.md")

SYNONYMS = {
    "lr": "learning_rate",
    "schedule": "learning_rate_schedule",
    "decay": "learning_rate_schedule",
    "dropout": "regularization",
    "l1": "regularization",
    "l2": "regularization",
    "weight_decay": "regularization",
    "early_stopping_patience": "early_stopping",
    "over_fitting": "overfitting",
    "overfit": "overfitting",
    "balanced_accuracy": "accuracy",
    "auc": "roc_auc",
    "root_mean_squared_error": "rmse",
    "mean_absolute_error": "mae",
    "standardized_mean_absolute_error": "standardized_mean_squared_error",
    "ece": "expected_calibration_error",
    "lrap": "label_ranking_average_precision",
    "num_layers": "units",
    "95%_interval": "interval",
    "confidence_interval": "interval",
    "baselines": "baseline",
    "val": "validation",
}


def topics() -> dict[str, str]:
    """The text of each topic by its name.

    Example:
        >>> list(topics())[:3]
        ['learning_rate', 'batch_size', 'optimizer']
    """
    sections = FILE.read_text(encoding="utf-8").split("# ")[1:]
    return {section.partition("\n")[0].strip(): section.partition("\n")[2].strip() for section in sections}


def find_topic(name: str) -> str | None:
    """The text of a topic, by its name or another word for it; None if there is none.

    The averages of a metric, such as `f1_macro`, are described with it.

    Example:
        >>> find_topic("lr").startswith("The size of a step.")
        True
    """
    key = re.sub(r"_(macro|micro|weighted|\d+)$", "", re.sub(r"[ -]", "_", name.lower()))
    return topics().get(SYNONYMS.get(key, key))


def find_meaning(name: str) -> str | None:
    """The sentences of a topic that say what it means, without commands; None if there is no such topic.

    Example:
        >>> find_meaning("ROC AUC").split(":")[0]
        'The probability that a row of the positive class has a higher score than another row'
        >>> find_meaning("accuracy").partition(". ")[0]
        'The fraction of rows whose class is predicted'
    """
    sentences = re.split(r"(?<=\.)\s+(?=[A-Z0-9])", find_topic(name) or "")
    is_command = re.compile(r"^(Set|See|Choose|Compare|Measure|Try|Read)\b|\btfkit ")
    return " ".join(" ".join(text.split()) for text in sentences if not is_command.search(text)) or None
