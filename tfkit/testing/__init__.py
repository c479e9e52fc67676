"""Contracts: what a good layer, loss, schedule, callback or recipe holds, in one line. For ours and for yours.

But for `check_recipe`, no check knows tfkit's own classes: each takes anybody's of Keras, on the backend that it runs
on. All say in a sentence what is wrong and what to do, and raise `AssertionError`, so they can stand in any test.
"""

from tfkit.testing.callback import check_callback
from tfkit.testing.layer import check_layer
from tfkit.testing.loss import check_loss
from tfkit.testing.recipe import check_recipe
from tfkit.testing.schedule import check_schedule

__all__ = ["check_callback", "check_layer", "check_loss", "check_recipe", "check_schedule"]
