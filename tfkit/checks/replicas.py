"""Several replicas train what one device trains: the same steps in two processes, compared weight by weight."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from tfkit.checks.processes import process
from tfkit.checks.proof import Proof

ROWS_A_STEP, EPOCHS = 32, 5  # of four steps each, the last one of a single row: one of two replicas has none
TOLERANCE = 1e-4  # of the largest number of a weight, or of 1; where a slope is 0, Adam takes steps of rounding errors
CHANCE = ("rate", "bound", "dropout", "recurrent_dropout", "stddev", "seed_dropout")  # what layers call their share
SAYS = "two replicas train what one device trains"


def two_replicas(recipe: str, settings: dict[str, Any], folder: Path) -> Proof:
    """Train twenty steps on one device and on two parts of the CPU, without dropout, and compare."""
    cases, files = [[recipe, settings]], {device: folder / f"steps-{device}.npz" for device in ("auto", "mirrored:2")}
    for device, file in files.items():
        process(do="steps", device=device, cases=cases, out=str(file))
    [where] = differences(files["auto"], files["mirrored:2"])
    return Proof(SAYS, where)


def differences(one: Path, other: Path, tolerance: float = TOLERANCE) -> list[str]:
    """Of each case, where two files of `steps` differ first; empty if nowhere."""
    with np.load(one, allow_pickle=False) as first, np.load(other, allow_pickle=False) as second:
        return [_difference(name, first, second, tolerance) for name in first if name.startswith("case ")]


def _difference(case: str, first: Any, second: Any, tolerance: float) -> str:
    told, twin = (json.loads(bytes(file[case]).decode()) for file in (first, second))
    if told["drawn"]:
        return (
            f"not to be seen: {told['drawn']} draws random numbers in training, which on replicas are others; give "
            "the settings that switch it off"
        )
    if twin["refused"]:
        return f"refused: {twin['refused']}"
    for epoch in range(EPOCHS + 1):
        for number, name in enumerate(told["names"]):
            a, b = (file[f"{case[5:]} {epoch} {number}"].astype("float64") for file in (first, second))
            apart = np.abs(a - b).max(initial=0.0) / max(1.0, np.abs(a).max(initial=0.0))
            if not apart <= tolerance and not (np.isnan(a) & np.isnan(b)).any():
                return f"{name} after {4 * epoch} steps, by {apart:.1g}"
    for name, values in told["history"].items():
        if not np.allclose(values, twin["history"][name], rtol=1e-4, atol=1e-5, equal_nan=True):
            return f"{name}: {values[-1]:.6g} on one device, {twin['history'][name][-1]:.6g} on several"
    return ""


def steps(*, device: str, cases: list[Any], out: str) -> None:
    """Train some steps of each case (recipe and settings) on a device, and put down all weights after each epoch."""
    from tfkit import devices

    devices.choose(device)
    arrays: dict[str, Any] = {}
    for number, (recipe, settings) in enumerate(cases):
        told, weights = _trained(recipe, settings)
        arrays[f"case {number}"] = np.frombuffer(json.dumps(told).encode(), "uint8")
        arrays |= {f"{number} {name}": array for name, array in weights.items()}
    np.savez(out, **arrays)


def _trained(recipe: str, settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What there is to tell of the steps of a recipe, and its weights after each epoch."""
    import keras

    from tfkit import devices, loop
    from tfkit.errors import UserError
    from tfkit.recipe import load

    loaded = load(recipe)
    config = loaded.Config.of(settings)
    devices.set_up(seed=config.seed, deterministic=config.deterministic)
    data = loaded.data(config)
    config = config.settled(data.defaults)
    devices.set_up(seed=config.seed, deterministic=config.deterministic)
    with devices.precision(config.precision), devices.scope():
        model = loaded.model(config, data)
    _without_chance(model)
    batch = max(2, min(ROWS_A_STEP, config.batch(len(data.train)), (len(data.train) - 1) // 3))
    weights: dict[str, Any] = {}

    def keep(epoch: int) -> None:
        weights.update({f"{epoch} {i}": weight.numpy() for i, weight in enumerate(model.weights)})

    keep(0)
    seeds = _seeds(model)
    told: dict[str, Any] = {"names": [weight.path for weight in model.weights], "refused": "", "history": {}}
    after = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: keep(epoch + 1))
    train, val = _First(data.train, 3 * batch + 1), _First(data.val, 50)
    try:
        history = loop.fit(
            model,
            train,
            batch_size=batch,
            epochs=EPOCHS,
            validation_data=val,
            callbacks=[after],
            seed=config.seed,
            augment=data.augment,
        )
        told["history"] = {name: [float(value) for value in values] for name, values in history.history.items()}
    except UserError as error:
        told["refused"] = str(error)
    told["drawn"] = next((name for name, state in _seeds(model).items() if state != seeds[name]), "")
    return told, weights


class _First:
    """The first rows of a split."""

    def __init__(self, split: Any, rows: int):
        self.take, self.raw, self.rows = split.take, split.raw, min(rows, len(split))

    def __len__(self) -> int:
        return self.rows


def _without_chance(model: Any) -> None:
    """Switch off what drops and shakes: masks cannot be the same on one device and on several."""
    for layer in model._flatten_layers():
        for name in CHANCE:
            if isinstance(vars(layer).get(name), (int, float)):
                setattr(layer, name, 0)


def _seeds(model: Any) -> dict[str, list[int]]:
    """The random states, which move on when a number is drawn."""
    states = [v for v in model.non_trainable_variables if "seed_generator_state" in v.path]
    return {state.path: state.numpy().tolist() for state in states}
