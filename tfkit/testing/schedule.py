"""The contract check of a learning-rate schedule."""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from tfkit.testing.backend import compile_function
from tfkit.testing.expectations import Checker, to_float64_arrays
from tfkit.testing.serialization import check_config, check_fresh_process, check_no_default, constructor_defaults

NUM_SAMPLED_STEPS = 60  # between the first and the last step


def check_schedule(
    schedule: Any,
    steps: int,
    *,
    closed_form: Callable[[int], float] | None = None,
    peak_step: int | None = None,
    at_default: Sequence[str] = (),
    tolerance: float = 1e-6,
) -> None:
    """Check that a learning-rate schedule works in every Keras optimizer.

    Checked at steps from 0 to `steps` and beyond, up to ten times as many: the learning rate is finite and at least 0;
    it is the same for a step given as a Python integer, an integer tensor, a float tensor or the variable of an
    optimizer, eager and compiled; `get_config` contains every argument and creates a bit-identical schedule, in this
    process and in a fresh one (see `check_layer`).

    Args:
        schedule: A `keras.optimizers.schedules.LearningRateSchedule`, created with no argument at its default, so that
            a missing one is detected.
        steps: Number of training steps that it is created for, at least 1.
        closed_form: The learning rate as a plain Python function of the step, or None.
        peak_step: The step before which the learning rate never decreases and after which it never increases; 0 for a
            schedule that only decreases; or None.
        at_default: Names of arguments that are at their default here.
        tolerance: Largest allowed difference, relative to the highest learning rate.

    Raises:
        AssertionError: With a sentence that says what is wrong and how to fix it.

    Example:
        >>> import keras, tfkit
        >>> schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5, staircase=True)
        >>> tfkit.testing.check_schedule(schedule, 40, closed_form=lambda k: 0.1 * 0.5 ** (k // 10), peak_step=0)
    """
    schedule_class, checker = type(schedule), Checker(type(schedule).__name__, tolerance)
    with checker.attempt(
        "`get_config` must return the constructor arguments: Keras does not provide it for a schedule."
    ):
        config = schedule.get_config()
    for name in constructor_defaults(schedule_class):
        checker.expect(name in config, f"`get_config` omits `{name}`. Add it.")
    check_no_default(checker, schedule_class, config, at_default)
    sampled_steps = np.unique(
        [*np.linspace(0, steps, NUM_SAMPLED_STEPS).astype("int64"), peak_step or 0, steps + 1, 2 * steps, 10 * steps]
    )
    rates = np.array([_learning_rate(schedule, int(step)) for step in sampled_steps])
    for step, rate in zip(sampled_steps, rates, strict=True):
        checker.expect(
            np.isfinite(rate) and rate >= 0,
            f"The learning rate at step {step} is {rate}. It must be finite and at least 0, also after the last step.",
        )
    _check_step_types(checker, schedule, sampled_steps, rates)
    restored = check_config(checker, schedule, config)
    checker.expect(
        (rates == [_learning_rate(restored, int(step)) for step in sampled_steps]).all(),
        "A schedule created from its configuration has different learning rates. Return the constructor arguments "
        "from `get_config`.",
    )
    check_fresh_process(checker, schedule, [[step] for step in sampled_steps], list(rates))
    if peak_step is not None:
        _check_peak(checker, peak_step, sampled_steps, rates)
    if closed_form is not None:
        expected = np.array([closed_form(int(step)) for step in sampled_steps])
        worst = int(np.abs(rates - expected).argmax())
        checker.expect(
            abs(rates[worst] - expected[worst]) <= tolerance * np.abs(expected).max(),
            f"The learning rate at step {sampled_steps[worst]} is {rates[worst]:.9g}, by the closed form it is "
            f"{expected[worst]:.9g}.",
        )


def _check_peak(checker: Checker, peak_step: int, sampled_steps: np.ndarray, rates: np.ndarray) -> None:
    """Check that the learning rate increases before the peak and decreases after it.

    Rounding errors are ignored.
    """
    slack = checker.tolerance * rates.max()
    for step, change in zip(sampled_steps[1:], np.diff(rates), strict=True):
        checker.expect(
            step > peak_step or change >= -slack,
            f"The learning rate decreases up to step {step}, before its peak at step {peak_step}.",
        )
        checker.expect(
            step <= peak_step or change <= slack,
            f"The learning rate increases up to step {step}, after its peak at step {peak_step}.",
        )


def _learning_rate(schedule: Any, step: Any) -> float:
    """Compute the learning rate at a step as a float."""
    return float(to_float64_arrays(schedule(step))[0])


def _check_step_types(checker: Checker, schedule: Any, sampled_steps: np.ndarray, rates: np.ndarray) -> None:
    """Check that the type of the step does not change the learning rate."""
    iterations = keras.Variable(0, dtype="int64", trainable=False)
    compiled = compile_function(schedule, [], [()], ["int64"])

    def call_with_variable(step: Any) -> Any:
        iterations.assign(step)
        return schedule(iterations)

    step_types: dict[str, Callable[[Any], Any]] = {
        "an integer tensor": lambda step: schedule(keras.ops.convert_to_tensor(step, "int32")),
        "a float tensor": lambda step: schedule(keras.ops.convert_to_tensor(step, "float32")),
        "the variable of an optimizer": call_with_variable,
        "a tensor, compiled": lambda step: compiled(keras.ops.convert_to_tensor(step, "int64")),
    }
    limit = checker.tolerance * np.abs(rates).max()
    for description, call in step_types.items():
        for step, expected in zip(sampled_steps, rates, strict=True):
            with checker.attempt(
                f"It must accept a step that is {description}. Begin with keras.ops.cast(step, 'float32')."
            ):
                rate = float(to_float64_arrays(call(int(step)))[0])
            checker.expect(
                abs(rate - expected) <= limit,
                f"At step {step} the learning rate is {rate:.9g} if the step is {description}, and {expected:.9g} if "
                "it is a Python integer.",
            )
