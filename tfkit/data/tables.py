"""Tables: what is learnt from the training rows, and how any rows become what the model takes."""

import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tfkit.data import columns
from tfkit.data.cleaning import clean, without
from tfkit.data.files import read_frame
from tfkit.data.splits import Rows
from tfkit.data.targets import listed, read_target
from tfkit.errors import UserError, nearest

log = logging.getLogger("tfkit")

SCALES = ("robust", "standard", "zero_one", "minus_one_one", "quantile")
RARE = 2  # a word seen less often than this in training is treated like one never seen


def learn_table(frame: Any, target: dict[str, Any], *, kinds: Mapping[str, str], scale: str = "robust",
                bins: int = 128, missing: list[str] | None = None, said: Iterable[str] = ()) -> dict[str, Any]:  # fmt: skip
    """Everything that is learnt from the training rows of a table, as plain JSON.

    Args:
        frame: The training rows, a pandas DataFrame as `read_frame` gives it.
        target: What `learn_target` found of the column to predict.
        kinds: Column -> number, category, date or leave_out, as the user has set it.
        scale: robust, standard, zero_one, minus_one_one or quantile.
        bins: The largest number of bins of a number's embedding.
        missing: Cells that mean "missing", where they are not the usual ones; kept for later files.
        said: What was done before, in words, to be kept with the rest.

    Returns:
        `info`: task, target, inputs (of the model file: name, column, dtype), columns (kind and treatment), and what
        `prepare` and the embeddings are told.

    Raises:
        UserError: If a setting names no column, or no column is left to learn from.
    """
    check_columns(frame, kinds)
    found: dict[str, dict[str, Any]] = {}
    inputs: dict[str, dict[str, Any]] = {}
    for name in frame.columns:
        if name == target["name"]:
            continue
        found[name] = _learn_column(frame[name], kinds.get(name), scale, bins, inputs)
    if not inputs:
        reasons = ", ".join(f"{name} ({rule['kind']})" for name, rule in list(found.items())[:5])
        raise UserError(f"At least one column must be left to learn from; set its kind with number=, category= or date=. "
                        f"Received: {reasons or 'no other column than the target'}")  # fmt: skip
    limit = max(4, 16384 // max(1, sum(rule["dtype"] == "float32" for rule in inputs.values())))
    for rule in inputs.values():
        if "edges" in rule and len(rule["edges"]) > limit + 1:
            rule["edges"] = _thin(rule["edges"], limit + 1)
    numbers = [rule for rule in inputs.values() if rule["dtype"] == "float32"]
    words = [rule for rule in inputs.values() if rule["dtype"] == "string"]
    if target["task"] == "regression":
        values = read_target(frame, target)
        target = {**target, "mean": float(values.mean()), "scale": float(values.std()) or 1.0}
    return {
        "task": target["task"],
        "target": target,
        "cleaning": list(said),
        "missing_words": missing,
        "inputs": inputs,
        "columns": found,
        "scale": scale,
        "edges": [rule.pop("edges") for rule in numbers],
        "missing": [place for place, rule in enumerate(numbers) if rule["missing"]],
        "sizes": [len(rule["vocabulary"]) + 2 for rule in words],
    }


def load_table(table: Any, target: str, *, test_table: Any = None, duplicates: str = "drop",
               **reading: Any) -> tuple[Any, Any, list[str]]:  # fmt: skip
    """Read and clean a table, and a test table where there is one.

    Args:
        table, test_table: Paths, or anything else that `read_frame` takes.
        target: The column to predict.
        duplicates: "drop" or "keep".
        reading: delimiter, encoding, missing of `read_frame`.

    Returns:
        The rows, the rows of the test table or None, and what was done, in words.
    """
    frame = read_frame(table, **reading)
    check_columns(frame, [target])
    frame, said = clean(frame, target, duplicates=duplicates)
    if test_table is None:
        return frame, None, said
    test = read_frame(test_table, **reading)
    check_columns(test, list(frame.columns))
    test, more = clean(test[list(frame.columns)], target, duplicates="keep")
    frame, shared = without(frame, test)
    return frame, test, said + shared + [f"test table: {words}" for words in more]


def table_rows(frame: Any, info: Mapping[str, Any], prepare: Any) -> Rows:
    """Rows of a table, read, prepared once and kept as a split."""
    from tfkit.loop import predict

    raw, truth = read_table(frame, info, target=True)
    if info["task"] == "regression":
        truth = ((truth - info["target"]["mean"]) / info["target"]["scale"]).astype("float32")
    return Rows(predict(prepare, raw), truth, raw=raw)


def read_table(source: Any, info: Mapping[str, Any], *, target: bool = False) -> Any:
    """Rows of a table as the model file takes them, held against what was learnt.

    Args:
        source: A path, a DataFrame, or a dictionary of columns.
        info: What `learn_table` gave.
        target: Whether the truth is wanted too.

    Returns:
        A dictionary of arrays `(rows, 1)`, float32 with NaN or strings with "" where missing; with `target`, also the
        class numbers or values `(rows,)`.

    Raises:
        UserError: If there are no rows, a needed column is not there, or a column holds nothing of what it held.
    """
    frame = read_frame(source, missing=info["missing_words"])
    needed = dict.fromkeys(rule["column"] for rule in info["inputs"].values())
    check_columns(frame, [*needed, *([info["target"]["name"]] if target else [])])
    if not len(frame):
        raise UserError("There must be rows to read. Received: a table with columns but no rows")
    known = {*info["columns"], info["target"]["name"]}
    extra = [str(name) for name in frame.columns if name not in known]
    if extra:
        log.info("Columns that were not there in training are not used: %s", listed(extra))
    truth = read_target(frame, info["target"]) if target else None
    arrays = {}
    for column in needed:
        arrays[column], unread = columns.convert(frame[column], info["columns"][column])
        if unread:
            _report_unread(column, unread, frame[column], info["columns"][column])
    raw = {}
    for name, rule in info["inputs"].items():
        values = arrays[rule["column"]][rule["part"]]
        if rule["dtype"] == "string":
            _report_unseen(rule, values)
        raw[name] = values.reshape(-1, 1)
    return (raw, truth) if target else raw


def prepare_table(info: Mapping[str, Any]) -> Any:
    """Told layers from raw rows to what the model takes: scaled numbers, flags of missing ones, codes of words.

    Returns:
        A `keras.Model` from `{input: (rows, 1)}` to `{"numbers": (rows, n), "missing": (rows, m), "categories":
        (rows, c)}`, of which only those that the table has.
    """
    import keras

    from tfkit import layers

    inputs = {name: keras.Input((1,), name=name, dtype=rule["dtype"]) for name, rule in info["inputs"].items()}
    numbers = [(inputs[name], rule) for name, rule in info["inputs"].items() if rule["dtype"] == "float32"]
    words = [(inputs[name], rule) for name, rule in info["inputs"].items() if rule["dtype"] == "string"]
    x = {}
    if numbers:
        joined = _join([symbol for symbol, _ in numbers])
        if info["missing"]:
            x["missing"] = layers.MissingIndicator(info["missing"], name="missing")(joined)
        y = layers.Impute([rule["fill"] for _, rule in numbers], name="impute")(joined)
        if info["scale"] == "quantile":
            y = layers.QuantileScale(
                [rule["quantiles"] for _, rule in numbers], [rule["shares"] for _, rule in numbers], name="scale"
            )(y)
        else:
            center, spread = ([rule[key] for _, rule in numbers] for key in ("center", "spread"))
            y = keras.layers.Normalization(mean=center, variance=[s * s for s in spread], name="scale")(y)
        x["numbers"] = layers.Clip(3.0, name="clip")(y) if info["scale"] == "robust" else y
    if words:
        codes = [
            keras.layers.StringLookup(vocabulary=rule["vocabulary"] or [" "], mask_token="", name=f"{symbol.name}_code")(symbol)
            for symbol, rule in words
        ]
        x["categories"] = keras.layers.Activation("linear", dtype="int32", name="categories")(
            keras.ops.cast(_join(codes), "int32")
        )
    return keras.Model(inputs, x, name="prepare")


def check_columns(frame: Any, names: Iterable[str]) -> None:
    """Refuse a table that lacks one of these columns, and name the nearest."""
    for name in names:
        if name not in frame.columns:
            there = [str(column) for column in frame.columns]
            raise UserError(f"The table must have the column {name!r}.{nearest(name, there)} Received: {listed(there)}")


def _learn_column(cells: Any, kind: str | None, scale: str, bins: int, inputs: dict[str, Any]) -> dict[str, Any]:
    """The rule of one column; what the model file takes of it is added to `inputs`."""
    name = str(cells.name)
    if kind == "leave_out":
        return {"kind": "left out", "treatment": "left out, as set"}
    try:
        rule = columns.infer(cells, kind)
    except ValueError as error:
        raise UserError(f"A column must fit the kind that is set for it. Received: {kind}={name}, which {error}") from None
    if rule["kind"] in columns.LEFT_OUT and kind is None:
        reasons = {"text": "text too varied to be a category", "identifier": "tells rows apart and nothing else",
                   "constant": "the same in every row", "empty": "missing in every row"}  # fmt: skip
        return {**rule, "treatment": f"left out: {reasons[rule['kind']]}"}
    arrays, unread = columns.convert(cells, rule)
    said = [f"{unread:,} cells that are no {rule['kind']} count as missing"] if unread else []
    for part, values in arrays.items():
        if values.dtype == object:
            learnt = _learn_words(values)
            said += _say_words(learnt, values)
        else:
            learnt = _learn_numbers(values, scale, bins)
            if part and (learnt is None or len(learnt["edges"]) < 2):
                continue  # a part of the date that never changes
            said += _say_numbers(learnt, values) if not part else [part]
        safe = _safe(f"{name} {part}" if part else name, inputs)
        inputs[safe] = {"column": name, "part": part, **learnt}
    return {**rule, "treatment": ", ".join(said)}


def _learn_numbers(values: np.ndarray, scale: str, bins: int) -> dict[str, Any] | None:
    """Fill, centre, spread and edges of a column of numbers."""
    present = values[np.isfinite(values)].astype("float64")
    if not len(present):
        return {"dtype": "float32", "fill": 0.0, "center": 0.0, "spread": 1.0, "missing": True, "edges": [0.0, 1.0],
                "quantiles": [0.0, 1.0], "shares": [0.0, 1.0]}  # fmt: skip
    low, first, median, third, high = (float(v) for v in np.quantile(present, [0, 0.25, 0.5, 0.75, 1]))
    span = high - low or 1.0
    center, spread = {
        "robust": (median, third - first or span / 2),
        "standard": (float(present.mean()), float(present.std()) or 1.0),
        "zero_one": (low, span),
        "minus_one_one": ((low + high) / 2, span / 2),
        "quantile": (0.0, 1.0),
    }[scale]
    learnt = {"dtype": "float32", "fill": median, "center": center, "spread": spread, "missing": len(present) < len(values)}
    edges = _edges(present, bins)
    if scale == "quantile":
        ascending = np.sort(present)
        knots = _thin(sorted(set(edges)), 257) if len(edges) > 1 else [edges[0], edges[0] + 1.0]
        # the middle of the ranks of equal values, so that a value that many rows share is not pushed to one side
        ranks = [(np.searchsorted(ascending, k, "left") + np.searchsorted(ascending, k, "right")) / 2 for k in knots]
        shares = [float((r - ranks[0]) / (ranks[-1] - ranks[0] or 1.0)) for r in ranks]
        learnt |= {"quantiles": [float(k) for k in knots], "shares": [*shares[:-1], 1.0]}
        scaled = 2 * np.interp(edges, knots, learnt["shares"]) - 1
    else:
        scaled = (np.array(edges) - center) / spread
        if scale == "robust":
            scaled = scaled / np.sqrt(1 + (scaled / 3.0) ** 2)
    scaled = np.unique(scaled.astype("float32")).astype("float64")
    learnt["edges"] = [float(e) for e in scaled] if len(scaled) > 1 else [float(scaled[0]), float(scaled[0]) + 1.0]
    return learnt


def _edges(present: np.ndarray, bins: int) -> list[float]:
    """Every value where there are few; else quantiles, and where ties waste many of these, quantiles of the values."""
    distinct = np.unique(present)
    if len(distinct) <= bins + 1:
        return [float(v) for v in distinct]
    levels = np.linspace(0, 1, bins + 1)
    edges = np.unique(np.quantile(present, levels))
    unused = bins + 1 - len(edges)
    if unused > bins // 4:
        edges = np.union1d(edges, np.quantile(distinct, np.linspace(0, 1, unused)))
    return _thin([float(e) for e in edges], bins + 1)


def _thin(values: list[float], most: int) -> list[float]:
    """At most so many of the values, evenly chosen, both ends kept."""
    if len(values) <= most:
        return values
    return [values[i] for i in np.unique(np.linspace(0, len(values) - 1, most).round().astype(int))]


def _learn_words(values: np.ndarray) -> dict[str, Any]:
    """The vocabulary of a column of words, most frequent first; rare words are left to the code of the unseen."""
    words, counts = np.unique(values[values != ""].astype(str), return_counts=True)
    order = np.lexsort((words, -counts))
    vocabulary = [str(words[i]) for i in order if counts[i] >= RARE]
    return {"dtype": "string", "vocabulary": vocabulary}


def _say_numbers(learnt: Mapping[str, Any], values: np.ndarray) -> list[str]:
    present = values[np.isfinite(values)]
    said = [f"{present.min():.6g} to {present.max():.6g}, {len(np.unique(present)):,} values"] if len(present) else []
    missing = len(values) - len(present)
    return said + ([f"{missing:,} missing: {learnt['fill']:.6g} and a flag"] if missing else [])


def _say_words(learnt: Mapping[str, Any], values: np.ndarray) -> list[str]:
    missing, rare = int((values == "").sum()), len(set(values) - set(learnt["vocabulary"]) - {""})
    said = [f"{len(learnt['vocabulary']):,} words"]
    said += [f"{rare:,} rare words become one"] if rare else []
    return said + ([f"{missing:,} missing: a word of its own"] if missing else [])


def _safe(name: str, taken: Iterable[str]) -> str:
    """A name that every export takes: letters, digits and `_`, different from the others even in lower case."""
    plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_") or "column"
    plain = f"column_{plain}" if plain[0].isdigit() else plain
    low, safe, number = {other.lower() for other in taken}, plain, 2
    while safe.lower() in low or safe in ("self", "inputs", "training"):
        safe, number = f"{plain}_{number}", number + 1
    return safe


def _join(symbols: list[Any]) -> Any:
    import keras

    return symbols[0] if len(symbols) == 1 else keras.layers.Concatenate()(symbols)


def _report_unread(column: str, unread: int, cells: Any, rule: Mapping[str, Any]) -> None:
    present = int(cells.notna().sum())
    if unread == present:
        first = str(cells.dropna().iloc[0])
        raise UserError(f"The column {column!r} must hold what it held in training, a {rule['kind']}. "
                        f"Received: {present:,} cells of which none is one, such as {first!r}")  # fmt: skip
    log.warning("%s: %d cells fit no %s and count as missing", column, unread, rule["kind"])


def _report_unseen(rule: Mapping[str, Any], values: np.ndarray) -> None:
    known = {*rule["vocabulary"], ""}
    unseen = [word for word in values if word not in known]
    if unseen:
        words = sorted(set(unseen))
        log.info("%s: %d cells hold words that training did not: %s", rule["column"], len(unseen), listed(words))


