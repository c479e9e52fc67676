"""Single rows, columns and slices: where the model is wrong, and what it leans on."""

from typing import Any

import numpy as np

from tfkit.report.figures import DASHES, MUTED, ONE, SERIES, Figure, Table, draw, legend
from tfkit.report.reading import Record
from tfkit.report.section import Marked, Picture, Section
from tfkit.report.words import number, percent, span

COLUMNS = 25


def columns(record: Record) -> list[Section]:
    """What a table's model leans on, and the slices where it is worst."""
    found = []
    told = record.evidence.get("columns")
    if told and told["columns"]:
        found.append(Section("Which columns matter", _leans(record, told), [_importance(told, record)]))
    told = record.evidence.get("slices")
    if told:
        found.append(_slices(told))
    return found


def _leans(record: Record, told: dict[str, Any]) -> list[str]:
    what = "log loss" if record.classes else "mean absolute error"
    words = [
        f"Each column in turn is shuffled among {told['rows']:,} test rows, {told['repeats']} times; what that "
        f"adds to the {what} of {number(told['loss'])} is what the column was worth, given all others. Columns "
        "that say the same share their worth."
    ]
    if told["left_out"]:
        words.append(f"{told['left_out']:,} more columns were not looked at.")
    return words


def _importance(told: dict[str, Any], record: Record) -> Figure:
    shown = told["columns"][:COLUMNS]
    places = list(range(len(shown) - 1, -1, -1))
    added = [one["added"] for one in shown]

    def paint(axes):  # type: ignore[no-untyped-def]
        axes.barh(places, added, 0.62, color=ONE, alpha=0.6)
        for one, place in zip(shown, places, strict=True):
            axes.plot(one["interval"], [place, place], color=MUTED, lw=1.6, solid_capstyle="butt")
        axes.axvline(0, color=MUTED, lw=0.8)
        axes.set_yticks(places, [one["column"][:22] for one in shown])
        axes.grid(axis="y", visible=False)

    what = "log loss" if record.classes else "mean absolute error"
    rows = [[one["column"], number(one["added"]), span(one["interval"])] for one in told["columns"][:200]]
    says = f"{shown[0]['column']} matters most: without it the {what} is {number(added[0])} higher"
    return draw(
        "Permutation importance",
        says,
        paint,
        x=f"added to the {what}",
        height=1.1 + 0.24 * len(shown),
        numbers=Table(f"Added to the {what}", ["column", "added", "95% interval"], rows),
    )


def _slices(told: dict[str, Any]) -> Section:
    as_word = percent if told["what"] == "share wrong" else number
    head = ["slice", "rows", told["what"], "all other rows", "95% interval of the difference"]

    def row(one: dict[str, Any]) -> list[str]:
        interval = "" if one["rest"] is None else " to ".join(as_word(end) for end in one["interval"])
        rest = "" if one["rest"] is None else as_word(one["rest"])
        return [f"{one['column']} = {one['value']}", number(one["rows"]), as_word(one["score"]), rest, interval]

    words = [
        f"{told['looked_at']:,} slices (column = value) of 30 test rows or more were looked at; of all rows the "
        f"{told['what']} is {as_word(told['all'])}."
    ]
    if not told["worst"]:
        words.append("None is worse than the rest by more than chance in so many explains.")
    if told["unknown"]:
        words.append(f"Not among the columns that were learnt from: {', '.join(told['unknown'])}.")
    tables = [Table("Where it is worst", head, [row(one) for one in told["worst"]])] if told["worst"] else []
    if told["asked"]:
        tables.append(Table("Slices asked for", head, [row(one) for one in told["asked"]]))
    return Section("For whom it is worse", words, [], tables)


def pictures(record: Record) -> list[Section]:
    """The worst and the least sure pictures, and where the model looked."""
    told = record.evidence.get("pictures")
    if not told:
        return []
    groups = []
    titles = (("worst", "The worst: surest and wrong, or furthest off"), ("unsure", "The least sure"))
    for which, title in titles:
        shown: list[Picture] = []
        for one in told.get(which, []):
            caption = _said(one)
            name = one.get("name", "")
            shown += [
                Picture(one["picture"], f"Test picture: {caption}", caption, name),
                Picture(one["looked"], f"Where the model looked: {caption}", "where it looked"),
            ]
        if shown:
            groups.append((title, shown))
    words = [f"Beside each picture, in orange, is what spoke for the answer ({told['how']})."]
    return [Section("Pictures it fails on", words, pictures=groups)]


def _said(one: dict[str, Any]) -> str:
    """Truth and answer in words."""
    if "sure" in one:
        taken = "rightly so" if one["label"] == one["predicted"] else f"taken for {one['predicted']}"
        return f"is {one['label']}, {taken} ({percent(one['sure'])} sure)"
    return f"is {number(one['label'])}, predicted {number(one['predicted'])}"


def texts(record: Record) -> list[Section]:
    """The words that mattered for the worst texts."""
    told = record.evidence.get("texts")
    if not told:
        return []
    shown = []
    for one in told["worst"]:
        most = max((abs(score) for _, score in one["pieces"]), default=0) or 1
        shown.append(Marked(_said(one), [(word, score / most) for word, score in one["pieces"]]))
    words = [
        "Each word was left out in turn. Underlined words spoke for the answer, and without them it is less sure; "
        "words with a dotted line spoke against it. The stronger the colour, the more."
    ]
    return [Section("Texts it is most wrong about", words, texts=shown)]


def series(record: Record) -> list[Section]:
    """The worst series, as they ran."""
    told = record.evidence.get("series")
    if not told:
        return []
    figures = [_course(one, told["channels"], number) for number, one in enumerate(told["worst"], 1)]
    return [Section("Series it is most wrong about", [], figures)]


def _course(one: dict[str, Any], channels: list[str], place: int) -> Figure:
    def paint(axes):  # type: ignore[no-untyped-def]
        for values, name, colour, dash in zip(one["values"], channels, SERIES, DASHES, strict=False):
            axes.plot([np.nan if v is None else v for v in values], ls=dash, color=colour, lw=1.2, label=name)
        if len(one["values"]) > 1:
            legend(axes)

    return draw(
        f"{place}: {_said(one)}", f"a series of {len(one['values'][0])} steps shown", paint, x="step", height=2.2
    )


def doubts(record: Record) -> list[Section]:
    """The rows whose label the model doubts most."""
    told = record.evidence.get("doubts")
    if not told or not told["first"]:
        return []
    names = list(dict.fromkeys(name for one in told["first"] for name in one["cells"]))[:8]
    keys = [key for key in ("split", "row", "label", "predicted", "probability_of_label") if key in told["first"][0]]
    rows = []
    for one in told["first"]:
        own = [str(one[key]) if key == "row" else _word(one[key]) for key in keys]
        rows.append(own + [_word(one["cells"].get(name, "")) for name in names])
    what = "is" if record.classes else "value is"
    words = [
        f"Of the {told['of']:,} rows of validation and test, these are the ones whose {what} least likely to the "
        f"model: a wrong label is often among them. The first {told['count']:,} stand in doubted.csv in the run's "
        "folder."
    ]
    if record.classes:
        words[0] = words[0].replace("whose is", "whose label is")
    head = ["probability of label" if key == "probability_of_label" else key for key in keys]
    return [Section("Labels to look at", words, tables=[Table("The most doubted rows", [*head, *names], rows)])]


def _word(value: Any) -> str:
    if isinstance(value, str):
        return value if len(value) <= 60 else value[:59] + "…"
    return number(value)
