"""Contract checks for layers, losses, schedules, callbacks and recipes.

The checks are for the classes of tfkit and for your own. Except for `check_recipe`, no check depends on classes of
tfkit: each works with any Keras class, on the current Keras backend. Every failed check raises `AssertionError` with a
sentence that says what is wrong and how to fix it, so the checks can be used in any test.
"""

from tfkit.testing.callback import check_callback
from tfkit.testing.layer import check_layer
from tfkit.testing.loss import check_loss
from tfkit.testing.recipe import check_recipe
from tfkit.testing.schedule import check_schedule

__all__ = ["check_callback", "check_layer", "check_loss", "check_recipe", "check_schedule"]
