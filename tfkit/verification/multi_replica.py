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

TOLERANCE = 1e-4  # relative to the largest value of a weight, or to 1; Adam amplifies rounding errors at gradient 0

RANDOM_ATTRIBUTES = ("rate", "bound", "dropout", "recurrent_dropout", "stddev", "seed_dropout")  # of layers

CLAIM = "two replicas train the same weights as one device"


def check_two_replicas(recipe: str, settings: dict[str, Any], folder: Path) -> CheckResult:
    """Train twenty steps on one device and on two CPU replicas, and compare.

    Dropout is disabled.
    """
    cases, files = [[recipe, settings]], {device: folder / f"steps-{device}.npz" for device in ("auto", "mirrored:2")}
    for device, file in files.items():
        run_worker(do="steps", device=device, cases=cases, out=str(file))
    [difference] = compare_step_files(files["auto"], files["mirrored:2"])
    return CheckResult(CLAIM, difference)


def compare_step_files(expected: Path, actual: Path, tolerance: float = TOLERANCE) -> list[str]:
    """Describe the first difference of two files of `train_steps`, for each case.

    A description is empty if there is none.
    """
    with (
        np.load(expected, allow_pickle=False) as expected_file,
        np.load(actual, allow_pickle=False) as actual_file,
    ):
        return [
            _first_difference(name, expected_file, actual_file, tolerance)
            for name in expected_file
            if name.startswith("case ")
        ]


def _first_difference(case: str, expected_file: Any, actual_file: Any, tolerance: float) -> str:
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
    for epoch in range(EPOCHS + 1):
        for i, name in enumerate(expected["names"]):
            key = f"{case_index} {epoch} {i}"
            x, y = expected_file[key].astype("float64"), actual_file[key].astype("float64")
            difference = np.abs(x - y).max(initial=0.0) / max(1.0, np.abs(x).max(initial=0.0))
            if not difference <= tolerance and not (np.isnan(x) & np.isnan(y)).any():
                return f"{name} after {STEPS_PER_EPOCH * epoch} steps, by {difference:.1g}"
    for name, values in expected["history"].items():
        actual_values = actual["history"][name]
        if not np.allclose(values, actual_values, rtol=1e-4, atol=1e-5, equal_nan=True):
            return f"{name}: {values[-1]:.6g} on one device, {actual_values[-1]:.6g} on several"
    return ""


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
