"""Diagnoses from the settings: those that are far from the defaults of the recipe, in a run that went badly."""

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeGuard

from tfkit.reporting.diagnostics import curves, scores
from tfkit.reporting.diagnostics.diagnosis import Diagnosis, retrain_command
from tfkit.reporting.formatting import format_number
from tfkit.reporting.run_results import RunResults

FAR_RATIO = 8  # of a setting to its default, or of the default to the setting

MAX_DROPOUT = 0.7  # fraction of units, above which a network learns little

MAX_PENALTY = 1e-3  # of L1 and L2, above which weights shrink towards 0 within a training

MAX_SHRINKAGE = 0.01  # of weights in a step: learning rate times weight decay

RATE_FACTORS = {"sgd": 100, "momentum": 10, "nesterov": 10, "adagrad": 10, "lion": 0.1}  # of that of Adam, about

LABELS = {
    "l1": "L1 penalty",
    "l2": "L2 penalty",
    "epochs": "number of epochs",
    "units": "number of units",
    "dropout": "fraction of dropped units",
}

SYMPTOMS = (
    scores.baseline_wins,
    scores.is_worse_than_baselines,
    scores.underfitting,
    scores.no_better_than_guessing,
    scores.predicts_one_class,
    curves.not_finite,
    curves.diverging,
    curves.overfitting,
    curves.generalization_gap,
    curves.still_improving,
    curves.plateau,
    curves.learning_rate_too_high,
    curves.learning_rate_too_low,
)


class FarSetting(NamedTuple):
    """A setting that is far from its default."""

    name: str
    default: Any
    description: str


def far_settings(record: RunResults) -> Diagnosis | None:
    """Diagnose settings that are far from the defaults, if there is a symptom; other causes are then consequences.

    A learning rate far from the default and far too few epochs are named without a symptom, too: a better model may be
    missed. With another optimizer than the default, a learning rate is compared with a rule of thumb, and only named if
    there is a symptom.
    """
    settings = list(_far_settings(record))
    if not any(symptom(record) for symptom in SYMPTOMS):
        is_certain = not _has_other_optimizer(record)
        is_named = {"learning_rate": is_certain, "epochs": True}
        settings = [setting for setting in settings if is_named.get(setting.name)]
    if not settings:
        return None
    names = " and ".join(LABELS.get(setting.name, setting.name.replace("_", " ")) for setting in settings)
    finding = f"the {names} {'is' if len(settings) == 1 else 'are'} far from the default"
    return Diagnosis(
        finding[0].upper() + finding[1:],
        " ".join(f"{setting.description}." for setting in settings) + " Train with the default first.",
        retrain_command(record, **{setting.name: setting.default for setting in settings}),
    )


def _far_settings(record: RunResults) -> Iterator[FarSetting]:
    config: dict[str, Any] = record.config
    defaults: dict[str, Any] = record.provenance.get("default_settings") or {}
    value: Any
    default: Any
    for name in ("learning_rate", "epochs", "units"):
        value, default = config.get(name), defaults.get(name)
        if not (_is_number(value) and _is_number(default) and default):
            continue
        reference = "the default of this recipe and data,"
        if name == "learning_rate" and _has_other_optimizer(record):
            default = float(f"{default * RATE_FACTORS.get(config['optimizer'], 1):.2g}")
            reference = f"what {config['optimizer']} needs for this recipe and data, about"
        ratio = value / default
        is_far = ratio <= 1 / FAR_RATIO if name == "epochs" else not 1 / FAR_RATIO < ratio < FAR_RATIO
        if is_far:
            yield FarSetting(name, default, _ratio_text(name, value, default, reference))
    dropout, default = (config.get("dropout"), defaults.get("dropout"))
    if _is_number(dropout) and _is_number(default) and dropout >= max(MAX_DROPOUT, default + 0.2):
        description = f"Dropout {dropout:g} removes {dropout:.0%} of the units in every step"
        yield FarSetting("dropout", default, f"{description}; the default is {default:g}")
    for name in ("l1", "l2"):
        value, default = config.get(name) or 0.0, defaults.get(name)
        if _is_number(default) and value >= max(MAX_PENALTY, FAR_RATIO * default):
            description = f"{name.upper()} {value:g} pulls all weights towards 0"
            yield FarSetting(name, default, f"{description}; the default is {default:g}")
    yield from _weight_decay(config, defaults)
    yield from _batch_size(record, defaults)


def _weight_decay(config: dict[str, Any], defaults: dict[str, Any]) -> Iterator[FarSetting]:
    """Weight decay that makes weights small within a training."""
    names = ("weight_decay", "learning_rate")
    decay, rate, default = (*(config.get(name) for name in names), defaults.get("weight_decay"))
    if not (_is_number(decay) and _is_number(rate) and _is_number(default)):
        return
    shrinkage = float(decay or 0) * float(rate or 0)
    if decay > FAR_RATIO * default and shrinkage > MAX_SHRINKAGE:
        description = f"Weight decay {decay:g} removes {shrinkage:.1%} of every weight in each step"
        yield FarSetting("weight_decay", default, f"{description}; the default is {default:g}")


def _batch_size(record: RunResults, defaults: dict[str, Any]) -> Iterator[FarSetting]:
    """A batch of all training rows, or nearly: there are too few steps."""
    rows, default = (record.provenance.get("rows") or [0])[0], defaults.get("batch_size")
    size = rows if record.config.get("batch_size") == "all" else record.config.get("batch_size")
    if rows and _is_number(size) and _is_number(default) and size >= rows > default:
        description = f"A batch of {size:,} holds all {rows:,} training rows, so an epoch is one step"
        yield FarSetting("batch_size", default, f"{description}; the default is {default:,}")


def _has_other_optimizer(record: RunResults) -> bool:
    return "optimizer" in (record.provenance.get("non_defaults") or {})


def _ratio_text(name: str, value: float, default: float, reference: str) -> str:
    label, ratio = name.replace("_", " ").capitalize(), value / default
    times = f"{format_number(ratio)} times" if ratio > 1 else f"1/{format_number(1 / ratio)} of"
    return f"{label} {value:g} is {times} {reference} {default:g}"


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
