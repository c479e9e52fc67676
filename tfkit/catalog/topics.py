"""Paragraphs on settings and metrics, for `tfkit show TOPIC` and the guide of training."""

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
    "over-fitting": "overfitting",
    "overfit": "overfitting",
    "balanced_accuracy": "accuracy",
    "auc": "roc_auc",
    "root_mean_squared_error": "rmse",
    "mean_absolute_error": "mae",
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

    Example:
        >>> find_topic("lr").startswith("The size of a step.")
        True
    """
    key = name.lower().replace(" ", "_")
    return topics().get(SYNONYMS.get(key, key))
