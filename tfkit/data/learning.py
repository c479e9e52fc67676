"""What is learnt of a table is learnt from its training rows alone, and is plain JSON."""

import keyword
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tfkit.data import columns
from tfkit.data.disk import DiskTable
from tfkit.data.tables import check_columns
from tfkit.data.targets import count_classes, read_target
from tfkit.data.treatments import counted, learn_counts, learn_numbers, learn_words, thin
from tfkit.errors import UserError

WORDS = 1_000_000  # of a column on disk that are counted at a time
BINS = 16384  # of all columns together: a batch holds a number for each bin of each row


def learn_table(
    frame: Any,
    target: Mapping[str, Any],
    *,
    kinds: Mapping[str, Sequence[str]],
    scale: str = "robust",
    bins: int = 128,
    reading: Mapping[str, Any] | None = None,
    said: Iterable[str] = (),
) -> dict[str, Any]:
    """Everything that is learnt from the training rows of a table, as plain JSON.

    Args:
        frame: The training rows, as `load_table`, `split_table` or `read_frame` gives them.
        target: What `learn_target` found of the column to predict.
        kinds: number, category, date, leave_out -> the columns that the user has set to be that.
        scale: robust, standard, zero_one, minus_one_one or quantile.
        bins: The largest number of bins of a number's embedding.
        reading: delimiter, encoding, missing of `read_frame`, where the user has set them; kept for later files.
        said: What was done before, in words, to be kept with the rest.

    Returns:
        `info`: task, target, inputs (of the model file: name, column, dtype), columns (kind and treatment), and what
        `prepare` and the embeddings are told.

    Raises:
        UserError: If a setting names no column, or one twice, or no column is left to learn from.
    """
    kind_of = _kind_of(frame, target, kinds)
    rows, frame, said = frame, *_in_memory(frame, said)
    found: dict[str, dict[str, Any]] = {}
    inputs: dict[str, dict[str, Any]] = {}
    safe = _Names()
    for name in frame.columns:
        if name != target["name"]:
            found[name], parts = _learn_column(frame[name], kind_of.get(name), scale, bins)
            inputs |= {
                safe(f"{name} {part}"): {"column": name, "part": part, **learnt} for part, learnt in parts.items()
            }
    if not inputs:
        reasons = ", ".join(f"{name} ({rule['kind']})" for name, rule in list(found.items())[:5])
        raise UserError(
            f"At least one column must be left to learn from; set its kind with number=, category= or "
            f"date=. Received: {reasons or 'no other column than the target'}"
        )
    if len(frame) < len(rows):
        _count_words(rows, found, inputs)
    numbers = [rule for rule in inputs.values() if rule["dtype"] == "float32"]
    words = [rule for rule in inputs.values() if rule["dtype"] == "string"]
    _thin_all(numbers)
    return {
        "task": target["task"],
        "target": {**target, **_learn_answers(rows, target)},
        "cleaning": said,
        "reading": dict(reading or {}),
        "inputs": inputs,
        "columns": found,
        "scale": scale,
        "edges": [rule.pop("edges") for rule in numbers],
        "missing": [place for place, rule in enumerate(numbers) if rule["missing"]],
        "sizes": [len(rule["vocabulary"]) + 2 for rule in words],
    }


def _in_memory(rows: Any, said: Iterable[str]) -> tuple[Any, list[str]]:
    """The training rows, or of those on disk as many as fit into memory; and what is said of that."""
    if not isinstance(rows, DiskTable):
        return rows, list(said)
    some = rows.some()
    if len(some) == len(rows):
        return some, list(said)
    drawn = f"what is learnt of numbers and dates is learnt of {len(some):,} training rows drawn by chance"
    return some, [*said, drawn]


def _count_words(rows: DiskTable, found: dict[str, dict[str, Any]], inputs: dict[str, dict[str, Any]]) -> None:
    """The vocabularies of all rows, where some have said which columns have one."""
    words = {name: rule for name, rule in inputs.items() if rule["dtype"] == "string"}
    counts = {name: Counter[str]() for name in words}
    for block in rows.blocks(list(dict.fromkeys(rule["column"] for rule in words.values()))) if words else ():
        for name, rule in words.items():
            values = columns.convert(block[rule["column"]], found[rule["column"]])[0][rule["part"]]
            counts[name].update(counted(values))
            if len(counts[name]) > WORDS:  # very many: those that were seen once so far are let go
                counts[name] = Counter({word: count for word, count in counts[name].items() if count > 1})
    for name, rule in words.items():
        learnt, said = learn_counts(counts[name])
        rule |= learnt
        found[rule["column"]]["treatment"] = ", ".join(said)


def _kind_of(frame: Any, target: Mapping[str, Any], kinds: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Column -> the kind that the user has set."""
    kind_of: dict[str, str] = {}
    for kind, names in kinds.items():
        check_columns(frame, names)
        for name in names:
            if name == target["name"]:
                raise UserError(f"The target's kind is set with kind=class or kind=number. Received: {kind}={name}")
            if kind_of.setdefault(name, kind) != kind:
                raise UserError(f"A column can have one kind. Received: {kind_of[name]}={name} and {kind}={name}")
    return kind_of


def _learn_column(column: Any, kind: str | None, scale: str, bins: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The rule of one column, and what is learnt of each of its parts; a number or a word has one part, called ""."""
    if kind == "leave_out":
        return {"kind": "left out", "treatment": "left out, as set"}, {}
    parts: dict[str, Any] = {}
    try:
        rule = columns.infer(column, kind)
    except ValueError as error:
        raise UserError(
            f"A column must fit the kind that is set for it. Received: {kind}={column.name}, which {error}"
        ) from None
    if rule["kind"] in columns.LEFT_OUT:
        return {**rule, "treatment": f"left out: {columns.LEFT_OUT[rule['kind']]}"}, {}
    arrays, unread = columns.convert(column, rule)
    said = [f"{unread:,} cells that are not {columns.called(rule)} count as missing"] if unread else []
    if rule["kind"] == "date":
        parts = _learn_moments(arrays, scale, bins)
        more = [f"read as {' or '.join(rule['forms'])}", *parts]
    else:
        values = arrays[""]
        parts[""], more = (
            learn_words(values) if values.dtype == object else learn_numbers(values, scale=scale, bins=bins)
        )
    return {**rule, "treatment": ", ".join(said + more)}, parts


def _learn_moments(arrays: Mapping[str, np.ndarray], scale: str, bins: int) -> dict[str, Any]:
    """What is learnt of the parts of a date, without those that never change; one flag of missing ones is enough."""
    changing = [part for part, values in arrays.items() if len(np.unique(values[np.isfinite(values)])) > 1] or ["days"]
    parts = {part: learn_numbers(arrays[part], scale=scale, bins=bins)[0] for part in changing}
    for part in changing[1:]:
        parts[part]["missing"] = False
    return parts


def _learn_answers(frame: Any, target: Mapping[str, Any]) -> dict[str, Any]:
    """How often each class stands in the training rows, or mean and scale of the values there."""
    values = read_target(frame, target)
    if target["classes"]:
        return {"counts": count_classes(values, target["classes"])}
    return {"mean": float(values.mean()), "scale": float(values.std()) or 1.0}


def _thin_all(numbers: list[dict[str, Any]]) -> None:
    """Fewer bins a column where there are very many columns, so that a batch of them fits into memory."""
    most = max(4, BINS // max(1, len(numbers))) + 1
    for rule in numbers:
        rule["edges"] = thin(rule["edges"], most)
        if "quantiles" in rule:
            rule |= {name: thin(rule[name], most) for name in ("quantiles", "shares")}


class _Names:
    """Names that every export takes: letters, digits and `_`, different from each other even in lower case."""

    # Names that Python, Keras or a layer of the model file has already.
    reserved = re.compile(
        r"(self|inputs|training|prepare|tabular|restore|missing|impute|center|scale|squash|categories"
        r"|words|concatenate|cast|clip|take)(_\d+)?"
    )

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def __call__(self, name: str) -> str:
        plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")[:60] or "column"
        if plain[0].isdigit() or keyword.iskeyword(plain) or self.reserved.fullmatch(plain.lower()):
            plain = f"column_{plain}"
        safe, number = plain, 2
        while safe.lower() in self.taken:
            safe, number = f"{plain}_{number}", number + 1
        self.taken.add(safe.lower())
        return safe
