"""Check that replicas train the same weights as one device."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from tfkit.datasets.subset import Subset
from tfkit.verification.result import CheckResult
from tfkit.verification.subprocesses import run_worker

MAX_BATCH_SIZE = 32

EPOCHS = 5

FULL_STEPS_PER_EPOCH = 3  # and a last step of a single row, in which one of two replicas has none

STEPS_PER_EPOCH = FULL_STEPS_PER_EPOCH + 1

MAX_VAL_ROWS = 50

LEARNING_RATE, MOMENTUM = 0.01, 0.9  # of SGD, whose steps are proportional to the gradients

UPDATE_TOLERANCE = 1e-3  # relative to the largest update of a weight since the start

MIN_UPDATE = 0.01  # of the largest update of all trainable weights; a smaller one may be rounding of a zero gradient

ROUNDING = 2e-6  # relative to the largest value of a weight, or to 1

METRIC_TOLERANCE = 0.05  # of metrics that count rows, such as accuracy: rounding may change the class of a row

RANDOM_ATTRIBUTES = ("rate", "bound", "dropout", "recurrent_dropout", "stddev", "seed_dropout")  # of layers

CLAIM = "two replicas train the same weights as one device"


def check_two_replicas(recipe: str, settings: dict[str, Any], folder: Path) -> CheckResult:
    """Train twenty steps on one device and on two CPU replicas, and compare.

    Dropout is disabled, and SGD with momentum replaces the optimizers: a step of Adam is a gradient divided by its own
    size, which turns the rounding of a zero gradient, different on every machine, into a full step. SGD also detects
    a loss with a wrong factor, which Adam hides. Clipping stays as in the recipe.
    """
    cases, files = [[recipe, settings]], {device: folder / f"steps-{device}.npz" for device in ("auto", "mirrored:2")}
    for device, file in files.items():
        run_worker(do="steps", device=device, cases=cases, out=str(file))
    [difference] = compare_step_files(files["auto"], files["mirrored:2"])
    return CheckResult(CLAIM, difference)


def compare_step_files(expected: Path, actual: Path) -> list[str]:
    """Describe the first difference of two files of `train_steps`, for each case.

    A description is empty if there is none.
    """
    with (
        np.load(expected, allow_pickle=False) as expected_file,
        np.load(actual, allow_pickle=False) as actual_file,
    ):
        return [
            _first_difference(name, expected_file, actual_file) for name in expected_file if name.startswith("case ")
        ]


def _first_difference(case: str, expected_file: Any, actual_file: Any) -> str:
    """Describe the first difference of a case in weights or history; empty if equal."""
    expected, actual = (json.loads(bytes(file[case]).decode()) for file in (expected_file, actual_file))
    if expected["random_state"]:
        return (
            f"not comparable: {expected['random_state']} draws random numbers in training, which differ on replicas; "
            "use settings that switch it off"
        )
    if actual["error"]:
        return f"not trained: {actual['error']}"
    case_index = case.removeprefix("case ")
    names, is_trainable = expected["names"], expected["trainable"]
    for epoch in range(EPOCHS + 1):
        weights, actual_weights, start = (
            [file[f"{case_index} {number} {i}"].astype("float64") for i in range(len(names))]
            for file, number in ((expected_file, epoch), (actual_file, epoch), (expected_file, 0))
        )
        updates = [_largest(x - x0) for x, x0 in zip(weights, start, strict=True)]
        floor = MIN_UPDATE * max((u for u, trains in zip(updates, is_trainable, strict=True) if trains), default=0.0)
        for i, (x, y) in enumerate(zip(weights, actual_weights, strict=True)):
            update = max(updates[i], floor) if is_trainable[i] else updates[i]
            difference = _largest(x - y)
            is_equal = difference <= UPDATE_TOLERANCE * update + ROUNDING * max(1.0, _largest(x))
            if not is_equal and not (np.isnan(x) & np.isnan(y)).any():
                return f"{names[i]} after {STEPS_PER_EPOCH * epoch} steps, by {difference:.1g}"
    for name, values in expected["history"].items():
        actual_values, tolerance = actual["history"][name], 1e-5 if "loss" in name else METRIC_TOLERANCE
        if not np.allclose(values, actual_values, rtol=1e-4, atol=tolerance, equal_nan=True):
            return f"{name}: {values[-1]:.6g} on one device, {actual_values[-1]:.6g} on several"
    return ""


def _largest(array: np.ndarray) -> float:
    return float(np.abs(array).max(initial=0.0))


def train_steps(*, device: str, cases: list[Any], out: str) -> None:
    """Train some steps of each case on a device; save all weights after each epoch.

    Args:
        device: The device, as in the settings of `train`.
        cases: Pairs of a recipe and its settings.
        out: The `.npz` file to write.
    """
    from tfkit.training import devices

    devices.select_devices(device)
    arrays: dict[str, Any] = {}
    for case_index, (recipe, settings) in enumerate(cases):
        summary, weights = _train_case(recipe, settings)
        arrays[f"case {case_index}"] = np.frombuffer(json.dumps(summary).encode(), "uint8")
        arrays |= {f"{case_index} {name}": array for name, array in weights.items()}
    np.savez(out, **arrays)


def _train_case(recipe: str, settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Train some steps of a recipe; return a summary and the weights of each epoch.

    The summary has the weight names, the history, the error that stopped training, and the first random state that
    changed.
    """
    import keras

    from tfkit.catalog.load import load_recipe
    from tfkit.errors import UserError
    from tfkit.training import devices, fit, seeding

    loaded = load_recipe(recipe)
    config = loaded.Config.from_dict(settings)
    seeding.seed_everything(seed=config.seed, deterministic=config.deterministic)
    data = loaded.data(config)
    config = config.resolve_auto(data.auto_settings)
    seeding.seed_everything(seed=config.seed, deterministic=config.deterministic)
    with seeding.precision_policy(config.precision), devices.strategy_scope():
        model = loaded.model(config, data)
        _use_proportional_optimizers(model)
    _disable_randomness(model)
    num_rows = len(data.train)
    batch_size = max(
        2, min(MAX_BATCH_SIZE, config.effective_batch_size(num_rows), (num_rows - 1) // FULL_STEPS_PER_EPOCH)
    )
    weights: dict[str, np.ndarray] = {}

    def save_weights(epoch: int) -> None:
        weights.update({f"{epoch} {i}": weight.numpy() for i, weight in enumerate(model.weights)})

    save_weights(0)
    initial_states = _random_states(model)
    summary: dict[str, Any] = {"names": [weight.path for weight in model.weights], "error": "", "history": {}}
    summary["trainable"] = [bool(weight.trainable) for weight in model.weights]
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: save_weights(epoch + 1))
    train, val = _first_rows(data.train, FULL_STEPS_PER_EPOCH * batch_size + 1), _first_rows(data.val, MAX_VAL_ROWS)
    try:
        history = fit.fit(
            model,
            train,
            batch_size=batch_size,
            epochs=EPOCHS,
            validation_data=val,
            callbacks=[callback],
            seed=config.seed,
            augment=data.augment,
        )
        summary["history"] = {name: [float(value) for value in values] for name, values in history.history.items()}
    except UserError as error:
        summary["error"] = str(error)
    changed_states = (name for name, state in _random_states(model).items() if state != initial_states[name])
    summary["random_state"] = next(changed_states, "")
    return summary, weights


def _first_rows(dataset: Any, num_rows: int) -> Subset:
    """Return the first rows of a dataset."""
    return Subset(dataset, np.arange(min(num_rows, len(dataset))))


def _use_proportional_optimizers(model: Any) -> None:
    """Replace the optimizers of a model by SGD with momentum, except a loss scale in half precision."""
    import keras

    for name, optimizer in list(vars(model).items()):
        if isinstance(optimizer, keras.optimizers.Optimizer) and not hasattr(optimizer, "inner_optimizer"):
            clipping = {option: getattr(optimizer, option) for option in ("clipnorm", "clipvalue", "global_clipnorm")}
            setattr(model, name, keras.optimizers.SGD(LEARNING_RATE, momentum=MOMENTUM, **clipping))


def _disable_randomness(model: Any) -> None:
    """Set dropout and noise to 0: random masks differ between devices and replicas."""
    for layer in model._flatten_layers():
        for name in RANDOM_ATTRIBUTES:
            if isinstance(vars(layer).get(name), (int, float)):
                setattr(layer, name, 0)


def _random_states(model: Any) -> dict[str, list[int]]:
    """Return the states of the seed generators, which change with every draw."""
    states = [variable for variable in model.non_trainable_variables if "seed_generator_state" in variable.path]
    return {state.path: state.numpy().tolist() for state in states}
