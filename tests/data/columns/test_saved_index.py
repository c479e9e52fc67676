"""Saved indexes, identifiers and the text column: what is chosen for the user."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from tfkit.data import series, tabular, text
from tfkit.data.columns.saved_index import saved_index_columns
from tfkit.data.columns.targets import infer_target
from tfkit.data.series.files import find_series

RANDOM = np.random.default_rng(0)
NUM_ROWS = 60
TEXTS = [f"{'a lovely' if row % 2 else 'a dull'} film, {row}" for row in range(NUM_ROWS)]
LABELS = ["pos" if row % 2 else "neg" for row in range(NUM_ROWS)]

OTHER_COLUMNS = {
    "url": [f"https://www.example.com/reviews/films/2024/{row:08}/index.html?from=home" for row in range(NUM_ROWS)],
    "hash": [hashlib.sha256(str(row).encode()).hexdigest() for row in range(NUM_ROWS)],
    "uuid": [f"6ba7b810-9dad-11d1-80b4-00c04fd{row:05}" for row in range(NUM_ROWS)],
    "path": [f"/data/very/long/path/of/many/folders/to/the/file/{row}.txt" for row in range(NUM_ROWS)],
    "mail": [f"a.very.long.name.of.a.person.{row}@some.long.example.com" for row in range(NUM_ROWS)],
    "counter": range(10**9, 10**9 + NUM_ROWS),
    "date": [f"2024-01-01T00:00:{row:02}.000000+00:00" for row in range(NUM_ROWS)],
    "source": ["The Very Long Name of a Newspaper of a City", "Another Long Name of Another Paper"] * (NUM_ROWS // 2),
    "long number": [f"{row}.{'1' * 30}" for row in range(NUM_ROWS)],
}


@pytest.mark.parametrize("name", OTHER_COLUMNS)
@pytest.mark.parametrize(
    "texts", [TEXTS, [f"很好看的电影第{row}集" for row in range(NUM_ROWS)]], ids=["words", "no blanks"]
)
@pytest.mark.reading("Columns chosen for the user", "stated")
def test_text_column_is_not_a_code_if_there_are_texts(tmp_path, name, texts):
    frame = pd.DataFrame({name: OTHER_COLUMNS[name], "review": texts, "label": LABELS})
    frame.to_csv(tmp_path / "a.csv")
    _, _, column, messages = text.load(tmp_path / "a.csv", None, "label")
    assert column == "review"
    assert f"text column: review; not used: 'column_1', '{name}'" in messages


def test_codes_are_texts_if_there_is_nothing_else():
    frame = pd.DataFrame({"url": OTHER_COLUMNS["url"], "label": LABELS})
    assert text.load(frame, None, "label")[2:] == ("url", [])


@pytest.mark.parametrize("name", [None, "Unnamed: 0", "index", "row_names", "rownames", "_index"])
@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("rows", [12, 60])
@pytest.mark.reading("Columns chosen for the user", "stated")
def test_saved_index_of_a_table_is_not_used(tmp_path, name, start, rows):
    frame = pd.DataFrame({"x": RANDOM.normal(size=rows), "y": LABELS[:rows]}, index=range(start, start + rows))
    frame.to_csv(tmp_path / "a.csv", index_label=name)
    loaded, _, messages = tabular.load(tmp_path / "a.csv", "y")
    target = infer_target(loaded["y"])
    metadata = tabular.fit_schema(loaded, target, messages=messages)
    assert list(metadata.inputs) == ["x"]
    assert metadata.notes[-1] == f"columns that are not used: {name or 'column_1'} (identifier)"


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "index"])
def test_saved_index_of_series_is_no_step(tmp_path, name):
    frame = pd.DataFrame(RANDOM.normal(size=(9, 6)).round(3), columns=[f"t{step}" for step in range(6)])
    frame.insert(0, "label", LABELS[:9])
    frame.to_csv(tmp_path / "a.csv", index_label=name)
    loaded, _, messages = series.load(tmp_path / "a.csv")
    assert loaded.step_columns == [f"t{step}" for step in range(6)]
    assert messages == [f"column {name or 'column_1'} counts the rows: a saved index, not used"]
    known_steps = [name or "column_1", *loaded.step_columns]
    assert find_series(tmp_path / "a.csv", step_columns=known_steps).step_columns == known_steps


def test_columns_that_count_but_are_not_named_like_an_index_stay():
    frame = pd.DataFrame({"dose": [1, 2, 3, 4], "index": [3, 1, 2, 4], "Unnamed: 0": ["0", "1", "2", "4"]})
    assert saved_index_columns(frame) == []


def series_rows(separator, *, label=True, count=8):
    rows = RANDOM.normal(size=(count, 6)).round(3)
    return [
        separator.join([*([f"{index % 2 + 1}.0000000e+00"] if label else []), *map(str, row)])
        for index, row in enumerate(rows)
    ]


@pytest.mark.parametrize("separator", ["  ", " ", "\t ", "     "])
@pytest.mark.parametrize("lead", ["", "   "])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "  \n"])
@pytest.mark.reading("Layout of text files", "read")
def test_series_separated_by_blanks(tmp_path, separator, lead, line_end):
    path = tmp_path / "a.txt"
    path.write_bytes("".join(lead + row + line_end for row in series_rows(separator)).encode())
    loaded, _, messages = series.load(path)
    assert (len(loaded), len(loaded.step_columns)) == (8, 6)
    assert loaded.frame["label"].astype(float).tolist() == [1, 2] * 4
    assert ("cells are separated by blanks" in messages) == ("\t" not in separator)


@pytest.mark.parametrize("comment", ["# a\n", "# a, b\n#\n", "% made by\n"])
def test_series_below_comments(tmp_path, comment):
    path = tmp_path / "a.csv"
    path.write_text(comment + "\n".join(series_rows(",")))
    loaded, _, messages = series.load(path)
    assert (len(loaded), len(loaded.step_columns)) == (8, 6)
    assert any("comment lines above the series skipped" in message for message in messages)
