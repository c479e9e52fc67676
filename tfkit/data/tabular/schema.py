"""Fit the schema of a table on its training rows."""

import keyword
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tfkit.data.columns import dates, infer_type, numbers
from tfkit.data.columns.categorical import count_categories, fit_vocabulary, fit_vocabulary_from_counts
from tfkit.data.columns.infer_type import EXCLUDED_KINDS
from tfkit.data.columns.names import require_columns
from tfkit.data.columns.numeric import fit_numeric, subsample_evenly
from tfkit.data.columns.targets import fit_target_statistics, read_target
from tfkit.data.rows.out_of_core import OutOfCoreTable
from tfkit.data.tabular.metadata import TabularMetadata
from tfkit.errors import UserError
from tfkit.metadata import Target

if TYPE_CHECKING:
    import pandas as pd

COLUMN_SETTINGS = {"numeric_columns", "categorical_columns", "date_columns", "exclude_columns", "group_column"}
SCHEMA_SETTINGS = frozenset({*COLUMN_SETTINGS, "scaling", "num_bins", "day_first"})

SETTINGS = {  # that set the kind of columns
    "number": "numeric_columns",
    "category": "categorical_columns",
    "date": "date_columns",
    "excluded": "exclude_columns",
}
MAX_COUNTED_CATEGORIES = 1_000_000  # of an on-disk column that are counted at the same time

MAX_NAMED_COLUMNS = 8  # in a message

MAX_TOTAL_BINS = 16384  # of all columns together: a batch holds a number for each bin of each row


def fit_schema(
    frame: Any,
    target: Target,
    *,
    numeric_columns: Sequence[str] = (),
    categorical_columns: Sequence[str] = (),
    date_columns: Sequence[str] = (),
    exclude_columns: Sequence[str] = (),
    group_column: str | None = None,
    scaling: str = "robust",
    num_bins: int = 128,
    day_first: bool | None = None,
    read_options: Mapping[str, Any] | None = None,
    messages: Iterable[str] = (),
) -> TabularMetadata:
    """Fit the schema of a table on its training rows.

    Args:
        frame: The training rows, as returned by `load`, `split` or `read_frame`.
        target: The result of `infer_target`.
        numeric_columns, categorical_columns, date_columns, exclude_columns: Columns for which the user has set a kind.
        group_column: A column that is excluded, unless a kind is set for it.
        scaling: robust, standard, minmax, minmax_symmetric or quantile.
        num_bins: The largest number of bins of the embedding of a number.
        day_first: Whether 01/02/2024 is 1 February; None for the order that reads most cells, then for regular steps.
        read_options: `delimiter`, `encoding` and `na_values` of `read_frame`, if set by the user; stored for later
            files.
        messages: Messages that describe the cleaning of the rows; stored with the schema.

    Raises:
        UserError: If a setting names an unknown column, or one column twice, or no feature column remains.
    """
    kinds = {"number": numeric_columns, "category": categorical_columns, "date": date_columns}
    user_kinds = _user_kinds(frame, target, {**kinds, "excluded": exclude_columns})
    if group_column:
        user_kinds.setdefault(group_column, "excluded")
    rows, frame, notes = frame, *_in_memory(frame, messages)
    column_rules: dict[str, dict[str, Any]] = {}
    inputs: dict[str, dict[str, Any]] = {}
    input_name = _InputNames()
    for name in frame.columns:
        if name != target.name:
            column_rules[name], parts = _fit_column(frame[name], user_kinds.get(name), scaling, num_bins, day_first)
            inputs |= {
                input_name(f"{name} {part}"): {"column": name, "part": part, **params} for part, params in parts.items()
            }
    if not inputs:
        reasons = ", ".join(f"{name} ({rule['kind']})" for name, rule in list(column_rules.items())[:5])
        raise UserError(
            "At least one feature column must remain; set its kind with numeric_columns=, categorical_columns= or "
            f"date_columns=. Received: {reasons or 'no columns besides the target'}"
        )
    if len(frame) < len(rows):
        _fit_vocabularies(rows, column_rules, inputs)
    notes = [*notes, *(f"{target.name}: {text}" for text in numbers.describe_format(target.number_format))]
    numeric = [rule for rule in inputs.values() if rule["dtype"] != "string"]
    categorical = [rule for rule in inputs.values() if rule["dtype"] == "string"]
    _limit_bins(numeric)
    return TabularMetadata(
        target=fit_target_statistics(target, read_target(rows, target)),
        notes=[*notes, *_exclusion_messages(column_rules)],
        read_options=dict(read_options or {}),
        edges=[list(rule.pop("edges")) for rule in numeric],
        inputs=inputs,
        columns=column_rules,
        scaling=scaling,
        missing=[index for index, rule in enumerate(numeric) if rule["missing"]],
        sizes=[len(rule["vocabulary"]) + 2 for rule in categorical],
    )


def _exclusion_messages(column_rules: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Name the columns that are not used, if the user did not exclude them."""
    excluded = [f"{name} ({rule['kind']})" for name, rule in column_rules.items() if rule["kind"] in EXCLUDED_KINDS]
    rest = len(excluded) - MAX_NAMED_COLUMNS
    named = ", ".join(excluded[:MAX_NAMED_COLUMNS]) + (f" and {rest:,} more" if rest > 0 else "")
    return [f"columns that are not used: {named}"] if excluded else []


def _in_memory(rows: Any, messages: Iterable[str]) -> tuple[Any, list[str]]:
    """Return the training rows in memory, and the messages.

    Rows of a large on-disk table are a random sample, and a message says so.
    """
    if not isinstance(rows, OutOfCoreTable):
        return rows, list(messages)
    sample = rows.sample()
    if len(sample) == len(rows):
        return sample, list(messages)
    note = f"numeric and date columns are fitted on {len(sample):,} randomly sampled training rows"
    return sample, [*messages, note]


def _fit_vocabularies(
    rows: OutOfCoreTable, column_rules: dict[str, dict[str, Any]], inputs: dict[str, dict[str, Any]]
) -> None:
    """Fit the vocabularies on all rows of an on-disk table.

    Which columns are categorical was inferred from a sample.
    """
    categorical = {name: rule for name, rule in inputs.items() if rule["dtype"] == "string"}
    counts = {name: Counter[str]() for name in categorical}
    names = list(dict.fromkeys(rule["column"] for rule in categorical.values()))
    for chunk in rows.chunks(names) if names else ():
        for name, rule in categorical.items():
            values = infer_type.convert_column(chunk[rule["column"]], column_rules[rule["column"]])[0][rule["part"]]
            counts[name].update(count_categories(values))
            if len(counts[name]) > MAX_COUNTED_CATEGORIES:  # drop those that were seen only once so far
                counts[name] = Counter({category: count for category, count in counts[name].items() if count > 1})
    for name, rule in categorical.items():
        params, messages = fit_vocabulary_from_counts(counts[name])
        rule |= params
        column_rules[rule["column"]]["treatment"] = ", ".join(messages)


def _user_kinds(frame: Any, target: Target, kinds: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Map each column to the kind that the user has set."""
    user_kinds: dict[str, str] = {}
    for kind, names in kinds.items():
        require_columns(frame, names)
        for name in names:
            if name == target.name:
                raise UserError(
                    "The kind of the target is set with task=classification or task=regression. "
                    f"Received: {SETTINGS[kind]}={name}"
                )
            if user_kinds.setdefault(name, kind) != kind:
                raise UserError(
                    f"A column can have one kind. Received: {SETTINGS[user_kinds[name]]}={name} "
                    f"and {SETTINGS[kind]}={name}"
                )
    return user_kinds


def _fit_column(
    column: "pd.Series", kind: str | None, scaling: str, bins: int, day_first: bool | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fit the schema of one column, and the preprocessing of each of its parts.

    A number or a category has one part, named "".
    """
    if kind == "excluded":
        return {"kind": "excluded", "treatment": "excluded by the user"}, {}
    parts: dict[str, Any] = {}
    try:
        rule = infer_type.infer_column_type(column, kind, day_first=day_first)
    except ValueError as error:
        raise UserError(
            f"A column must fit the kind that is set for it. "
            f"Received: {SETTINGS[str(kind)]}={column.name}, which {error}"
        ) from None
    if rule["kind"] in EXCLUDED_KINDS:
        return {**rule, "treatment": _exclusion(str(column.name), rule)}, {}
    arrays, unreadable = infer_type.convert_column(column, rule)
    messages = numbers.describe_format(rule)
    if unreadable:
        cell, row = infer_type.first_unreadable(column, next(iter(arrays.values())))
        reason = f"that are not {infer_type.describe_type(rule)} count as missing, such as {cell!r} in row {row:,}"
        messages.append(f"{unreadable:,} cells {reason}")
    if rule["kind"] == "date":
        parts = _fit_date(arrays, scaling, bins)
        messages += [_describe_dates(column, rule, day_first), *parts]
    else:
        values = arrays[""]
        parts[""], column_messages = (
            fit_vocabulary(values) if values.dtype == object else fit_numeric(values, scaling=scaling, bins=bins)
        )
        messages += column_messages
    return {**rule, "treatment": ", ".join(messages)}, parts


def _exclusion(name: str, rule: Mapping[str, Any]) -> str:
    """Say why a column is not used, and how to use an identifier."""
    reason = f"excluded: {infer_type.EXCLUDED_KINDS[rule['kind']]}"
    if rule["kind"] != "identifier":
        return reason
    setting = SETTINGS["number" if "number_format" in rule else "category"]
    return f"{reason} ({rule['reason']}); to use it, set {setting}={name}"


def _describe_dates(column: "pd.Series", rule: dict[str, Any], day_first: bool | None) -> str:
    """Describe how dates are read; with the order of day and month if both are possible."""
    text = dates.describe_format(rule)
    order = dates.ambiguous_order(infer_type.normalize_dtype(column).dropna(), rule)
    if not order or day_first is not None:
        return text
    return f"{text}, {order} first (set day_first={'false' if order == 'day' else 'true'} for the other order)"


def _fit_date(arrays: Mapping[str, np.ndarray], scaling: str, bins: int) -> dict[str, Any]:
    """Fit the preprocessing of the parts of a date, without constant parts.

    Only the first part has a missing indicator.
    """
    varying = [part for part, values in arrays.items() if len(np.unique(values[np.isfinite(values)])) > 1] or [
        list(arrays)[-1]
    ]
    parts = {part: fit_numeric(arrays[part], scaling=scaling, bins=bins)[0] for part in varying}
    for part in varying[1:]:
        parts[part]["missing"] = False
    return parts


def _limit_bins(rules: list[dict[str, Any]]) -> None:
    """Limit the number of bins of all columns together.

    A batch holds a number for each bin of each row, and must fit into memory.
    """
    max_edges = max(4, MAX_TOTAL_BINS // max(1, len(rules))) + 1
    for rule in rules:
        rule["edges"] = subsample_evenly(rule["edges"], max_edges)
        if "quantiles" in rule:
            rule |= {name: subsample_evenly(rule[name], max_edges) for name in ("quantiles", "shares")}


class _InputNames:
    """Create input names that every export format accepts.

    They consist of letters, digits and `_`, and are unique in lower case.
    """

    # Names that Python, Keras or a layer of the saved model already uses.
    reserved = re.compile(
        r"(self|inputs|training|prepare|tabular|restore|missing|impute|offset|center|scale|squash|categories"
        r"|words|concatenate|cast|clip|take)(_\d+)?"
    )

    def __init__(self) -> None:
        self.used_names: set[str] = set()

    def __call__(self, column: str) -> str:
        base = re.sub(r"\W+", "_", column, flags=re.ASCII).strip("_")[:60] or "column"
        if base[0].isdigit() or keyword.iskeyword(base) or self.reserved.fullmatch(base.lower()):
            base = f"column_{base}"
        name, suffix = base, 2
        while name.lower() in self.used_names:
            name, suffix = f"{base}_{suffix}", suffix + 1
        self.used_names.add(name.lower())
        return name
