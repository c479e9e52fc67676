"""Every callback of tfkit passes `check_callback`."""

import pytest

from tfkit import callbacks
from tfkit.testing import check_callback

NAN = float("nan")
LOSS_PAIRS = [(9.0, 3.0), (8.0, 2.0), (7.0, 2.5), (6.0, 1.0), (5.0, 1.5), (4.0, NAN), (3.0, 1.2)]
LOGS = [{"loss": loss, "val_loss": value, "val_f1": value} for loss, value in LOSS_PAIRS]
LOGS_WITH_NAN = [*LOGS[:3], {**LOGS[3], "loss": NAN}, *LOGS[4:]]

CASES = {
    "EarlyStopping": (lambda directory: callbacks.EarlyStopping(patience=3), LOGS, {"monitor": "val_loss"}),
    "EarlyStopping patience 1": (lambda directory: callbacks.EarlyStopping(patience=1), LOGS, {"monitor": "val_loss"}),
    "EarlyStopping last": (
        lambda directory: callbacks.EarlyStopping(patience=3, keep="last"),
        LOGS,
        {"monitor": "val_loss"},
    ),
    "EarlyStopping averaged": (
        lambda directory: callbacks.EarlyStopping(patience=3, keep="averaged"),
        LOGS,
        {"monitor": "val_loss"},
    ),
    "EarlyStopping maximum": (
        lambda directory: callbacks.EarlyStopping("val_f1", patience=3, min_delta=0.01),
        LOGS,
        {"monitor": "val_f1", "mode": "max"},
    ),
    "JSONLogger": (lambda directory: callbacks.JSONLogger(directory / "history.jsonl"), LOGS, {}),
    "JSONLogger in memory": (lambda directory: callbacks.JSONLogger(), LOGS, {}),
    "LearningRateDecay": (
        lambda directory: callbacks.LearningRateDecay(factor=0.5, patience=2),
        LOGS,
        {"monitor": "val_loss"},
    ),
    "RollbackOnNaN": (lambda directory: callbacks.RollbackOnNaN(), LOGS_WITH_NAN, {}),
    "RollbackOnNaN two retries": (lambda directory: callbacks.RollbackOnNaN(retries=2), LOGS_WITH_NAN, {}),
}


@pytest.mark.parametrize(("make", "logs", "options"), CASES.values(), ids=CASES)
def test_contract(make, logs, options, tmp_path):
    check_callback(lambda: make(tmp_path), logs, **options)


def test_every_public_callback_is_in_the_contract_test():
    classes = {name for name in callbacks.__all__ if isinstance(getattr(callbacks, name), type)}
    assert {name.split()[0] for name in CASES} == classes - {"LearningRateFinder"}  # it runs before training
