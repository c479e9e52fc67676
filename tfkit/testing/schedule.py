"""The contract of a learning-rate schedule."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from tfkit.testing.backend import compiled
from tfkit.testing.judge import Judge, numbers
from tfkit.testing.saving import defaults_of, expect_config, expect_no_default, expect_revival

SAMPLES = 60  # steps looked at between the first and the last


def check_schedule(
    schedule: Any,
    steps: int,
    *,
    closed_form: Callable[[int], float] | None = None,
    peak: int | None = None,
    at_default: Sequence[str] = (),
    tolerance: float = 1e-6,
) -> None:
    """Hold a learning-rate schedule to what an optimizer needs of it, and say in a sentence what it is not.

    Checked at steps from 0 to `steps` and beyond, up to ten times as many: the rate is finite and at least 0; it is the
    same for a step that is a Python integer, an integer tensor, a float tensor or the variable of an optimizer, eagerly
    and compiled; `get_config` forgets nothing and makes the same schedule again, to the last bit, in this process and
    in a fresh one (see `check_layer`).

    Args:
        schedule: A `keras.optimizers.schedules.LearningRateSchedule`, made with no argument at its default, so that a
            forgotten one shows.
        steps: Steps of the training that it is for, at least 1.
        closed_form: The rate as a plain Python function of the step, or None.
        peak: The step up to which the rate never falls and after which it never rises, 0 for one that only falls; or
            None.
        at_default: Names of arguments that are at their default here.
        tolerance: Largest difference allowed, as a share of the highest rate.

    Raises:
        AssertionError: With a sentence that says what is wrong and what to do.

    Example:
        >>> import keras, tfkit
        >>> schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5, staircase=True)
        >>> tfkit.testing.check_schedule(schedule, 40, closed_form=lambda k: 0.1 * 0.5 ** (k // 10), peak=0)
    """
    kind, judge = type(schedule), Judge(type(schedule).__name__, tolerance)
    with judge.attempt("`get_config` must return what the constructor takes: Keras does not write it for a schedule."):
        config = schedule.get_config()
    for name in defaults_of(kind):
        judge.expect(name in config, f"`get_config` forgets `{name}`. Add it.")
    expect_no_default(judge, kind, config, at_default)
    places = np.unique([*np.linspace(0, steps, SAMPLES).astype("int64"), peak or 0, steps + 1, 2 * steps, 10 * steps])
    rates = np.array([_rate(schedule, int(step)) for step in places])
    for step, rate in zip(places, rates, strict=True):
        judge.expect(
            np.isfinite(rate) and rate >= 0,
            f"The rate of step {step} is {rate}. It must be finite and at least 0, also beyond the last step.",
        )
    _check_kinds_of_steps(judge, schedule, places, rates)
    again = expect_config(judge, schedule, config)
    same = (rates == [_rate(again, int(step)) for step in places]).all()
    judge.expect(
        same, "Made from its configuration it has other rates. Return from `get_config` what the constructor was given."
    )
    expect_revival(judge, schedule, [[step] for step in places], list(rates))
    if peak is not None:
        _check_peak(judge, peak, places, rates)
    if closed_form is not None:
        expected = np.array([closed_form(int(step)) for step in places])
        worst = int(np.abs(rates - expected).argmax())
        judge.expect(
            abs(rates[worst] - expected[worst]) <= tolerance * np.abs(expected).max(),
            f"The rate of step {places[worst]} is {rates[worst]:.9g}, by the closed form it is {expected[worst]:.9g}.",
        )


def _check_peak(judge: Judge, peak: int, places: np.ndarray, rates: np.ndarray) -> None:
    """The rate rises up to the peak and falls from it on, but for rounding."""
    slack = judge.tolerance * rates.max()
    for step, change in zip(places[1:], np.diff(rates), strict=True):
        judge.expect(step > peak or change >= -slack, f"The rate falls towards step {step}, before its peak at {peak}.")
        judge.expect(step <= peak or change <= slack, f"The rate rises towards step {step}, after its peak at {peak}.")


def _rate(schedule: Any, step: Any) -> float:
    """The rate of a step as a number."""
    return float(numbers(schedule(step))[0])


def _check_kinds_of_steps(judge: Judge, schedule: Any, places: np.ndarray, rates: np.ndarray) -> None:
    """A step is a step, whatever type it has."""
    iterations = keras.Variable(0, dtype="int64", trainable=False)
    fast = compiled(schedule, [], [()], ["int64"])

    def of_variable(step: Any) -> Any:
        iterations.assign(step)
        return schedule(iterations)

    kinds: dict[str, Callable[[Any], Any]] = {
        "an integer tensor": lambda step: schedule(keras.ops.convert_to_tensor(step, "int32")),
        "a float tensor": lambda step: schedule(keras.ops.convert_to_tensor(step, "float32")),
        "the variable of an optimizer": of_variable,
        "a tensor, compiled": lambda step: fast(keras.ops.convert_to_tensor(step, "int64")),
    }
    limit = judge.tolerance * np.abs(rates).max()
    for what, rate_of in kinds.items():
        for step, rate in zip(places, rates, strict=True):
            with judge.attempt(f"It must take a step that is {what}. Begin with keras.ops.cast(step, 'float32')."):
                said = float(numbers(rate_of(int(step)))[0])
            judge.expect(
                abs(said - rate) <= limit,
                f"Of step {step} it says {said:.9g} where that is {what}, and {rate:.9g} where it is a Python integer.",
            )
