"""What a finished run says of rows: raw rows in, answers, tables and scores out."""

import importlib
import logging
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from tfkit.errors import UserError

log = logging.getLogger("tfkit")

FORMULA = ("=", "+", "-", "@", "\t", "\r", "|")  # how a cell begins that a spreadsheet computes


def answer(model: Any, raw: Any) -> np.ndarray:
    """What the model says of raw rows: probabilities `(rows, classes)`, or values `(rows,)` in the user's units."""
    from tfkit.loop import predict

    return one_a_row(predict(model, raw))


def one_a_row(said: np.ndarray) -> np.ndarray:
    """Values `(rows, 1)` as `(rows,)`; probabilities as they are."""
    return said[:, 0] if said.ndim == 2 and said.shape[1] == 1 else said


def predict(run: Any, source: Any) -> Any:
    """The answers to rows as a table, under the index of the source where it has one."""
    if run.info["task"] == "forecast":  # the answers are not to the rows of the source but to those that come next
        raw, own = run.read(source, own=True)
        return own.join(answers_frame(run.answer(raw), run.info))
    found = answers_frame(run.answer(run.read(source)), run.info)
    if hasattr(source, "index") and hasattr(source, "columns") and len(source.index) == len(found):
        found.index = source.index
    return found


def predict_file(run: Any, file: str | os.PathLike[str], out: str | os.PathLike[str], safe: bool = False) -> Path:
    """Predict every row of a file and write the file's own columns, then the answers; see `Run.predict_file`."""
    import pandas as pd

    from tfkit.data.files import write_frame
    from tfkit.prediction import predict_blocks

    if Path(out).resolve() == Path(file).resolve():
        raise UserError(f"The answers must go to another file than the one that is read. Received: {out}")
    said: set[str] = set()

    def joined(own: Any, answer: np.ndarray) -> Any:
        found = answers_frame(answer, run.info)
        found.index = own.index
        replaced = [name for name in found if name in own]
        if replaced and not said:
            log.warning("Columns of the file that are called like the answers are replaced: %s", ", ".join(replaced))
            said.update(replaced)
        frame = pd.concat([own.drop(columns=replaced), found], axis=1)
        return without_formulas(frame) if safe else frame

    blocks = run.read_blocks(file)
    if blocks is None or not predict_blocks(run, blocks, Path(out), joined):
        raw, own = run.read(file, own=True)
        write_frame(joined(own, run.answer(raw)), out)
    return Path(out)


def without_formulas(frame: Any) -> Any:
    """The same table, where no word or name begins as a formula of a spreadsheet does: an apostrophe is put before it.

    Example:
        >>> import pandas as pd
        >>> without_formulas(pd.DataFrame({"=a": ["=1+1", "b", "-3 apples"], "n": [-1, 2, 3]})).values.tolist()
        [["'=1+1", -1], ['b', 2], ["'-3 apples", 3]]
    """

    def harmless(value: Any) -> Any:
        return f"'{value}" if isinstance(value, str) and value.lstrip().startswith(FORMULA) else value

    words = frame.select_dtypes(exclude="number")
    return frame.assign(**{name: words[name].map(harmless) for name in words}).rename(columns=harmless)


def evaluate(run: Any, source: Any) -> dict[str, Any]:
    """The scores of rows whose truth the source holds too."""
    from tfkit import scores

    raw, truth = run.read(source, target=True)
    said, info = run.answer(raw), run.info
    return {
        "task": info["task"],
        "positive": info["target"]["positive"],
        "test": scores.score(truth, said, info),
        "intervals": scores.intervals(truth, said, info),
        "classes": scores.by_class(truth, said, info),
    }


def answers_frame(answer: np.ndarray, info: dict[str, Any]) -> Any:
    """Answers as a table: `predicted`, for classes `probability_CLASS`, for forecasts the ends of each band.

    A forecast has a row for each step of each window, and `low_80` and `high_80` where a band of 80% is told.
    """
    import pandas as pd

    if info["task"] == "forecast":
        return pd.DataFrame(_bands(answer.reshape(-1, answer.shape[-1]), info["quantiles"]))
    classes = info["target"]["classes"]
    if not classes:
        return pd.DataFrame({"predicted": answer})
    label = np.array(classes, object)[answer.argmax(axis=1)]
    return pd.DataFrame({"predicted": label} | {f"probability_{name}": answer[:, i] for i, name in enumerate(classes)})


def _bands(answer: np.ndarray, quantiles: list[float]) -> dict[str, np.ndarray]:
    """The median, then the ends of each band, the narrowest first."""
    found = {"predicted": answer[:, len(quantiles) // 2]}
    for i in reversed(range(len(quantiles) // 2)):
        share = f"{100 * (quantiles[-1 - i] - quantiles[i]):.0f}"
        found |= {f"low_{share}": answer[:, i], f"high_{share}": answer[:, -1 - i]}
    return found


def reader(run: Any, recipe: Any = None) -> Any:
    """The reader of the recipe that is named again, else the one of tfkit's own that the run names."""
    if recipe is not None:
        from tfkit.recipe import load

        found = load(recipe).read
    else:
        found = _own(run.about["read"]) if run.about["read"] else None
    if found is None:
        raise UserError(f"This run's page has a reader of its own; name the page again: --recipe {run.about['page']}")
    return found


def public(reader: Any) -> str | None:
    """Where a reader of tfkit's own is found again; a page's own is named again by its page."""
    module = getattr(reader, "__module__", "") or ""
    return f"{module}:{reader.__qualname__}" if module.startswith("tfkit.") and "recipes" not in module else None


def _own(name: str) -> Any:
    """A reader of tfkit's own by its name; no other module is imported because a file says so."""
    module, _, function = name.partition(":")
    if not re.fullmatch(r"tfkit\.data\.[a-z_]+:read_[a-z_]+", name):
        raise UserError(f"The run's reader must be one of tfkit's own; name the page with --recipe. Received: {name}")
    return getattr(importlib.import_module(module), function)
