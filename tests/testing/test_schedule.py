"""Tests of `check_schedule`: a correct schedule passes, and each check fails with a clear message."""

import keras
import pytest
from keras import ops

from tfkit.testing import check_schedule

register = keras.saving.register_keras_serializable(package="test_testing_schedule")


@register
class LinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A correct schedule: linear decay to 0."""

    def __init__(self, rate, steps=10):
        self.rate, self.steps = rate, steps

    def __call__(self, step):
        return self.rate * (1.0 - ops.minimum(ops.cast(step, "float32") / self.steps, 1.0))

    def get_config(self):
        return {"rate": self.rate, "steps": self.steps}


@register
class WithoutConfig(LinearDecay):
    get_config = keras.optimizers.schedules.LearningRateSchedule.get_config


@register
class OmitsArgumentFromConfig(LinearDecay):
    def get_config(self):
        return {"rate": self.rate}


@register
class OmitsRequiredArgumentFromConfig(LinearDecay):
    def get_config(self):
        return {"steps": self.steps}


@register
class HasWrongConfigValue(LinearDecay):
    def get_config(self):
        return {"rate": 0.5, "steps": self.steps}


@register
class GoesBelowZero(LinearDecay):
    def __call__(self, step):
        return self.rate * (1.0 - ops.cast(step, "float32") / self.steps)


@register
class IsInfinite(LinearDecay):
    def __call__(self, step):
        return self.rate / ops.cast(step, "float32")


@register
class NeedsPythonNumbers(LinearDecay):
    def __call__(self, step):
        return self.rate if step < self.steps else 0.0


@register
class DependsOnStepDtype(LinearDecay):
    def __call__(self, step):
        return (
            self.rate
            / (1.0 + ops.cast(ops.convert_to_tensor(step) // 3, "float32"))
            * (0.5 if "float" in str(getattr(step, "dtype", "")) else 1.0)
        )


SCALE = 1.0


@register
class DependsOnTheProcess(LinearDecay):
    def __call__(self, step):
        return SCALE * super().__call__(step)


def closed_form(step):
    return 0.1 * (1 - min(step / 20, 1))


def test_correct_schedule_passes():
    check_schedule(LinearDecay(0.1, 20), 20, closed_form=closed_form, peak_step=0)
    check_schedule(LinearDecay(0.1), 10, peak_step=0, at_default=("steps",))
    check_schedule(keras.optimizers.schedules.PolynomialDecay(0.1, 20, 0.01, power=2.0, cycle=True), 20)


@pytest.mark.parametrize(
    ("schedule", "options", "message"),
    [
        (LinearDecay(0.1), {}, r"^LinearDecay: `steps` is at its default \(10\)\. Pass a different value"),
        (WithoutConfig(0.1, 20), {}, "`get_config` must return the constructor arguments: Keras does not provide it"),
        (OmitsArgumentFromConfig(0.1, 20), {}, "`get_config` omits `steps`"),
        (
            OmitsRequiredArgumentFromConfig(0.1, 20),
            {},
            "`from_config` must accept the result of `get_config`. It raised TypeError",
        ),
        (HasWrongConfigValue(0.1, 20), {}, "A schedule created from its configuration has different learning rates"),
        (GoesBelowZero(0.1, 20), {}, "The learning rate at step 21 is -0.0.*It must be finite and at least 0"),
        (IsInfinite(0.1, 20), {}, "The learning rate at step 0 is inf"),
        (
            NeedsPythonNumbers(0.1, 20),
            {},
            "It must accept a step that is a tensor, compiled. Begin with keras.ops.cast",
        ),
        (
            DependsOnStepDtype(0.1, 20),
            {},
            r"At step 0 the learning rate is 0\.05.* if the step is a float tensor, and 0\.1",
        ),
        (LinearDecay(0.1, 20), {"peak_step": 5}, "The learning rate decreases up to step 1, before its peak at step 5"),
        (
            LinearDecay(0.1, 20),
            {"closed_form": lambda step: 0.1},
            "The learning rate at step .* is 0, by the closed form it is 0.1",
        ),
        (
            keras.optimizers.schedules.PolynomialDecay(0.1, 20, 0.01, power=2.0, cycle=True),
            {"peak_step": 0},
            "The learning rate increases up to step 21, after its peak at step 0",
        ),
    ],
)
def test_wrong_schedule_fails_with_message(schedule, options, message):
    with pytest.raises(AssertionError, match=message):
        check_schedule(schedule, 20, **options)


def test_schedule_that_depends_on_the_process_fails(monkeypatch):
    monkeypatch.setitem(globals(), "SCALE", 2.0)
    with pytest.raises(AssertionError, match="In a fresh process its output is different"):
        check_schedule(DependsOnTheProcess(0.1, 20), 20)
