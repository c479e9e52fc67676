"""What a column of a table is, and how its cells become numbers or words: rules that are learnt once and kept."""

import re
from typing import Any

import numpy as np

KINDS = ("number", "category", "yes/no", "date", "text", "identifier", "constant", "empty")
LEFT_OUT = ("text", "identifier", "constant", "empty")
YES = ("yes", "y", "true", "t", "1", "on")
NO = ("no", "n", "false", "f", "0", "off")
DATE_FORMATS = ("ISO8601", "%Y/%m/%d", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%d %b %Y", "%d %B %Y",
                "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%d-%b-%y", "%m/%d/%y", "%d/%m/%y")  # fmt: skip
CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
DATE_PARTS = ("year", "month", "day", "weekday", "hour", "days")
MOST = 0.95  # share of the cells that must fit a kind; the rest counts as missing and is said

_PLAIN = r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?(?i:inf|infinity|nan)"
_NUMBERS = {  # how numbers are written -> (all cells look like this, taken away, turned into a point)
    "1234.5": (_PLAIN, "", ""),
    "1,234.5": (r"[-+]?\d{1,3}(,\d{3})*(\.\d+)?", ",", ""),
    "1.234,5": (r"[-+]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?", ".", ","),
    "1 234.5": (r"[-+]?\d{1,3}([\s\u00a0\u202f']\d{3})*(\.\d+)?", " '\u00a0\u202f", ""),
    "1 234,5": (r"[-+]?\d{1,3}([\s\u00a0\u202f']\d{3})*(,\d+)?", " '\u00a0\u202f", ","),
}
_SIGNS = r"^[$€£¥]\s*|\s*[$€£¥%]$"  # what may stand beside a number


def infer(cells: Any, kind: str | None = None) -> dict[str, Any]:
    """The rule of a column, from its training cells: its kind, and how a cell is read.

    Args:
        cells: A pandas Series of any dtype.
        kind: A kind the user has set, one of number, category, date; None to find it.

    Returns:
        A plain dictionary with `kind` and what reading needs, fit for JSON.

    Raises:
        ValueError: If the user's kind does not fit the cells.

    Example:
        >>> import pandas as pd
        >>> infer(pd.Series(["1,200", "13,000", None]))
        {'kind': 'number', 'written': '1,234.5', 'signs': False}
        >>> infer(pd.Series(["yes", "no", "yes"]))
        {'kind': 'yes/no', 'words': ['no', 'yes']}
    """
    cells = words(cells)
    present = cells.dropna()
    if kind == "category":
        return {"kind": "category"}
    if kind is None and not len(present):
        return {"kind": "empty"}
    numeric = present.dtype.kind == "f"
    rule = {"kind": "number", "written": "1234.5", "signs": False} if numeric else _number_rule(present)
    if kind == "number" or (kind is None and rule):
        if not rule:
            raise ValueError(f"does not hold numbers, such as {_sample(present)}")
        return rule if kind else _kind_of_numbers(present, rule, len(cells), str(cells.name))
    date = _date_rule(present)
    if kind == "date" or (kind is None and date):
        if not date:
            raise ValueError(f"does not hold dates in a form that is known, such as {_sample(present)}")
        return date
    return _kind_of_words(present, len(cells))


def convert(cells: Any, rule: dict[str, Any]) -> tuple[dict[str, np.ndarray], int]:
    """Cells as raw values by a rule: float32 with NaN where missing, or strings with "" where missing.

    Returns:
        A dictionary of arrays `(rows,)`, one with the key "" or one for each part of a date, and how many cells did not
        fit the rule and count as missing.
    """
    cells = words(cells)
    missing = cells.isna().to_numpy()
    if rule["kind"] in ("number", "identifier") and "written" in rule or rule.get("dtype") == "float32":
        values = _numbers(_as_zero_one(cells) if rule["kind"] == "yes/no" else cells, rule)
        values = np.where(np.abs(values) <= np.finfo("float32").max, values, np.nan).astype("float32")
        return {"": values}, int((np.isnan(values) & ~missing).sum())
    if rule["kind"] == "date":
        return _date_parts(cells, rule["format"], missing)
    text = _plain_words(cells)
    unread = 0
    if rule["kind"] == "yes/no":
        text, unread = _yes_no(text, rule["words"])
    return {"": text}, unread


def words(cells: Any) -> Any:
    """Cells of any dtype as one of three: float64, datetime64 in UTC, or strings; missing stays missing."""
    import pandas as pd

    kind = cells.dtype
    if isinstance(kind, pd.CategoricalDtype):
        return words(cells.astype(kind.categories.dtype))
    if pd.api.types.is_bool_dtype(kind):
        return cells.astype("object").map({True: "True", False: "False"}, na_action="ignore").astype("str")
    if isinstance(kind, pd.StringDtype):
        return cells
    if pd.api.types.is_timedelta64_dtype(kind):
        return cells.dt.total_seconds()
    if isinstance(kind, pd.DatetimeTZDtype) or pd.api.types.is_datetime64_any_dtype(kind):
        return pd.to_datetime(cells, utc=True)
    if pd.api.types.is_numeric_dtype(kind) and kind.kind != "c":
        return cells.astype("float64")
    return _from_objects(cells)


def _from_objects(cells: Any) -> Any:
    """A column of Python objects: decimals, dates, booleans, strings, or a mixture, which is read as strings."""
    import pandas as pd

    found = pd.api.types.infer_dtype(cells, skipna=True)
    if found in ("decimal", "integer", "floating", "mixed-integer-float"):
        return pd.to_numeric(cells, errors="coerce").astype("float64")
    if found in ("date", "datetime", "datetime64"):
        return pd.to_datetime(cells, errors="coerce", utc=True)
    if found == "boolean":
        return cells.map({True: "True", False: "False"}, na_action="ignore").astype("str")
    return cells.where(cells.isna(), cells.map(str, na_action="ignore")).astype("str")


def _number_rule(present: Any) -> dict[str, Any] | None:
    """How the numbers of a column of strings are written, or None where it does not hold numbers."""
    if present.dtype.kind == "M" or not len(present):
        return None
    few = present.head(1000)
    for signs in (False, True):
        bare = few.str.replace(_SIGNS, "", regex=True) if signs else few
        for written, (pattern, _, _) in _NUMBERS.items():
            if bare.str.fullmatch(pattern).mean() < MOST:
                continue
            rule = {"kind": "number", "written": written, "signs": signs}
            if np.isfinite(_numbers(present, rule)).mean() >= MOST or written == "1234.5":
                return rule
    return None


def _numbers(cells: Any, rule: dict[str, Any]) -> np.ndarray:
    """The cells as float64; NaN where they are missing or no numbers."""
    import pandas as pd

    if cells.dtype.kind == "f":
        return cells.to_numpy("float64")
    if cells.dtype.kind == "M":
        return np.full(len(cells), np.nan)
    _, away, point = _NUMBERS[rule["written"]]
    if rule["signs"]:
        cells = cells.str.replace(_SIGNS, "", regex=True)
    if away:
        cells = cells.str.replace(f"[{re.escape(away)}]", "", regex=True)
    if point:
        cells = cells.str.replace(point, ".", regex=False)
    return pd.to_numeric(cells, errors="coerce").to_numpy("float64", na_value=np.nan)


def _kind_of_numbers(present: Any, rule: dict[str, Any], rows: int, name: str) -> dict[str, Any]:
    """A number, unless the cells say that it is something else: yes and no, a code, a row's own number."""
    import pandas as pd

    if present.dtype.kind != "f":
        codes = present.str.fullmatch(r"0\d+")
        if codes.any() and present.str.len().nunique() == 1:  # 01067 is a post code and no number
            return _kind_of_words(present, rows)
    values = _numbers(present, rule)
    distinct = pd.unique(values[np.isfinite(values)])
    if len(distinct) == 0:
        return {"kind": "empty"}
    if len(distinct) == 1:
        return {"kind": "constant"} if len(present) == rows else rule
    if set(distinct) == {0.0, 1.0}:
        return {**rule, "kind": "yes/no", "dtype": "float32"}
    whole = len(distinct) == len(values) >= 50 and bool((distinct % 1 == 0).all())
    dense = whole and distinct.max() - distinct.min() < 2 * len(distinct)
    named = re.search(r"(^|[\s_\-.])(id|uuid|index|idx|key|row|nr)$|ID$|Id$", name)
    if whole and (dense or named):
        return {**rule, "kind": "identifier"}
    return rule


def _kind_of_words(present: Any, rows: int) -> dict[str, Any]:
    """Yes/no, a category, or too varied to be one."""
    distinct = present.unique()
    low = {str(word).lower(): str(word) for word in distinct}
    if len(distinct) == 1:
        return {"kind": "constant"} if len(present) == rows else {"kind": "category"}
    if len(distinct) == 2 and len(low) == 2:
        for yes, no in zip(YES, NO, strict=True):
            if {yes, no} == set(low):
                return {"kind": "yes/no", "words": [low[no], low[yes]]}
    if len(present) >= 20 and len(distinct) > 0.5 * len(present):
        spaces = present.head(1000).str.count(r"\s").mean()
        return {"kind": "text" if spaces >= 2 or len(distinct) < 0.9 * len(present) else "identifier"}
    return {"kind": "category"}


def _date_rule(present: Any) -> dict[str, Any] | None:
    import pandas as pd

    if present.dtype.kind == "M":
        return {"kind": "date", "format": "ISO8601"}
    if present.dtype.kind == "f" or not len(present):
        return None
    few = present.head(200)
    if few.str.contains(r"\d").mean() < MOST:
        return None
    for form in (f"{day}{clock}" for day in DATE_FORMATS for clock in (("",) if day == "ISO8601" else CLOCKS)):
        if pd.to_datetime(few, format=form, errors="coerce", utc=True).notna().mean() >= MOST:
            whole = pd.to_datetime(present, format=form, errors="coerce", utc=True)
            if whole.notna().mean() >= MOST:
                return {"kind": "date", "format": form}
    return None


def _date_parts(cells: Any, form: str, missing: np.ndarray) -> tuple[dict[str, np.ndarray], int]:
    import pandas as pd

    if cells.dtype.kind == "f":
        cells = cells.astype("object").where(cells.isna(), None)
    when = pd.to_datetime(cells, format=None if cells.dtype.kind == "M" else form, errors="coerce", utc=True)
    days = (when - pd.Timestamp("1970-01-01", tz="UTC")) / pd.Timedelta(days=1)
    parts = {part: getattr(when.dt, part) for part in DATE_PARTS if part != "days"} | {"days": days}
    arrays = {part: values.to_numpy("float32", na_value=np.nan) for part, values in parts.items()}
    return arrays, int((when.isna().to_numpy() & ~missing).sum())


def _plain_words(cells: Any) -> np.ndarray:
    """Strings with "" where missing; 3.0 and 3 are the same word."""
    if cells.dtype.kind == "f":
        whole = (cells % 1 == 0) & (cells.abs() < 1e15)
        text = cells.astype("object").where(~whole, cells.where(whole, 0).astype("int64")).map(str)
        return text.where(cells.notna(), "").to_numpy(object)
    if cells.dtype.kind == "M":
        return cells.map(lambda when: when.isoformat(), na_action="ignore").astype(object).fillna("").to_numpy(object)
    return cells.str.replace(r"^(-?\d+)\.0+$", r"\1", regex=True).astype(object).fillna("").to_numpy(object)


def _as_zero_one(cells: Any) -> Any:
    """True, yes and on are 1; false, no and off are 0; numbers stay."""
    if cells.dtype.kind == "f":
        return cells
    return cells.str.lower().replace({**dict.fromkeys(YES, "1"), **dict.fromkeys(NO, "0")})


def _yes_no(text: np.ndarray, pair: list[str]) -> tuple[np.ndarray, int]:
    """The two words of training for whatever means yes or no; else missing."""
    table = {**dict.fromkeys(NO, pair[0]), **dict.fromkeys(YES, pair[1]), "": ""}
    out = np.array([table.get(word.lower()) for word in text], object)
    unread = int((out == None).sum())  # noqa: E711  elementwise
    out[out == None] = ""  # noqa: E711
    return out, unread


def _sample(present: Any) -> str:
    return ", ".join(repr(str(word)) for word in present.unique()[:3])
