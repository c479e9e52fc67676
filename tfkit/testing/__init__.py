"""Contracts: what a good layer, loss, schedule or callback of Keras holds, checked in one line. For ours and for yours.

No check knows tfkit's own classes: each takes anybody's, on the backend that Keras runs on, and says in a sentence what
is wrong and what to do. All raise `AssertionError`, so they can stand in a test of any kind.
"""

from tfkit.testing.callback import check_callback
from tfkit.testing.layer import check_layer
from tfkit.testing.loss import check_loss
from tfkit.testing.schedule import check_schedule

__all__ = ["check_callback", "check_layer", "check_loss", "check_schedule"]
