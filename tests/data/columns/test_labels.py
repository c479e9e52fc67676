"""Tests of labels: predictions have their type, spellings are joined, combinations of tags are reported."""

import hypothesis
import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies

from tfkit.data import tabular
from tfkit.data.columns.labels import infer_label_type, join_spellings, label_warnings, normalize_label
from tfkit.data.columns.targets import infer_target, read_target
from tfkit.errors import UserError
from tfkit.metadata import Metadata, Target
from tfkit.tasks import get_task

SOURCES = {  # labels in a DataFrame -> type of the predictions
    "integers": ([0, 1, 2] * 10, "integer"),
    "negative": ([-1, 1] * 10, "integer"),
    "nullable": (pd.array([3, 4] * 10, dtype="Int64"), "integer"),
    "halves": ([0.5, 1.0] * 10, "float"),
    "booleans": ([True, False] * 10, "boolean"),
    "nullable booleans": (pd.array([True, False] * 10, dtype="boolean"), "boolean"),
    "strings": (["a", "b"] * 10, "string"),
    "digits as strings": (["0", "1"] * 10, "string"),
    "True as a string": (["True", "False"] * 10, "string"),
    "categories": (pd.Categorical([7, 8] * 10), "integer"),
}


def round_trip(source, path, name="y"):
    """Predictions of the classes of a target as a DataFrame, and read again from predictions.csv."""
    frame, _, _ = tabular.load(source, name)
    target = tabular.infer_target(frame[name], task="classification")
    metadata = Metadata(target=Target(**target.model_dump()))
    codes = read_target(frame, metadata.target)
    outputs = np.eye(len(target.classes))[codes]
    table = get_task("classification").test_frame(None, codes, outputs, metadata)
    table.to_csv(path, index=False)
    np.testing.assert_array_equal(get_task("classification").read_test_frame(path, metadata)[0], codes)
    return table, target


@pytest.mark.parametrize(("labels", "label_type"), SOURCES.values(), ids=SOURCES)
@pytest.mark.reading("Labels and tags", "read")
def test_predictions_have_the_type_of_the_labels(labels, label_type, tmp_path):
    source = pd.DataFrame({"x": np.arange(len(labels)), "y": labels})
    table, target = round_trip(source, tmp_path / "predictions.csv")
    assert target.label_type == label_type
    assert table["predicted"].tolist() == table["actual"].tolist() == list(source["y"])
    assert table["predicted"].dtype.kind == {"integer": "i", "float": "f", "boolean": "b", "string": "O"}[label_type]


@pytest.mark.parametrize(
    ("labels", "label_type"),
    [
        (["0", "1"], "integer"),
        (["-5", "10"], "integer"),
        (["0.5", "1.5"], "float"),
        (["True", "False"], "boolean"),
        (["true", "false"], "string"),
        (["01", "02"], "string"),
        (["0.50", "1.50"], "string"),
        (["1", "x"], "string"),
        (["1e3", "5"], "string"),
        (["yes", "no"], "string"),
    ],
)
@pytest.mark.reading("Labels and tags", "read")
def test_labels_of_a_csv_file_are_written_as_they_were(labels, label_type, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("x,y\n" + "".join(f"{i},{labels[i % 2]}\n" for i in range(30)))
    _, target = round_trip(path, tmp_path / "predictions.csv")
    assert target.label_type == label_type
    table = pd.read_csv(tmp_path / "predictions.csv", dtype=str)["actual"]
    assert table.tolist() == [labels[i % 2] for i in range(30)]


def test_label_type_of_cells_without_a_source():
    assert infer_label_type(pd.Series([True, False]), ["False", "True"]) == "boolean"
    assert infer_label_type(pd.Series(["True", "False"]), ["False", "True"]) == "string"


SPELLINGS = pd.Series(["YES"] * 3 + ["Yes"] * 4 + ["yes"] * 2 + ["NO", "no", "No", "no"], name="y")


@pytest.mark.reading("Labels and tags", "stated")
def test_spellings_are_reported_with_the_setting_that_joins_them():
    [warning] = label_warnings(infer_target(SPELLINGS))
    assert warning.startswith("6 of the 6 classes of y differ only in case or blanks ('")
    assert warning.endswith("); label_normalization=casefold joins them")


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["YES", "Yes", "Yes", "no", "NO", "no"], ["Yes", "no"]),
        (["New  York", "New York", "New York", "Rome"], ["New York", "Rome"]),
        (["straße", "STRASSE", "straße", "weg"], ["straße", "weg"]),
        (["Ω", "ω", "ω", "a"], ["a", "ω"]),
        (["spam", "Spam ", "spam", "ham"], ["ham", "spam"]),
        (["t", "T", "T", "f"], ["T", "f"]),
    ],
)
@pytest.mark.reading("Labels and tags", "read")
def test_casefold_joins_labels_under_the_most_frequent(labels, classes):
    cells = pd.Series(labels * 5, name="y")
    target = infer_target(cells, task="classification", label_normalization="casefold")
    assert target.classes == classes
    assert label_warnings(target) == []
    upper = pd.DataFrame({"y": [f" {label.upper()} " for label in labels]})
    expected = [list(map(normalize_label, classes)).index(normalize_label(label)) for label in labels]
    assert read_target(upper, target).tolist() == expected


def test_one_class_in_several_spellings_is_refused():
    with pytest.raises(UserError, match="at least two classes"):
        infer_target(pd.Series(["A", "a"] * 5, name="y"), label_normalization="casefold")


@hypothesis.given(strategies.dictionaries(strategies.text(max_size=5), strategies.integers(1, 9), max_size=9))
def test_joining_keeps_all_rows(counts):
    joined = join_spellings(counts)
    assert sum(joined.values()) == sum(counts.values())
    assert set(joined) <= set(counts)
    assert len({normalize_label(label) for label in joined}) == len(joined)


@pytest.mark.parametrize(
    "classes",
    [
        ["a", "b", "a|b"],
        ["action, comedy", "action", "comedy, drama", "drama"],
        ["red;blue", "blue;green", "red;green"],
        ["toxic|insult", "toxic", "none", "insult"],
        ["py,js", "js", "py", "go,js", "go"],
    ],
)
@pytest.mark.reading("Labels and tags", "stated")
def test_combinations_of_tags_are_reported(classes):
    [warning] = label_warnings(Target(name="y", task="classification", classes=classes))
    assert "several tags in a cell" in warning


@pytest.mark.parametrize(
    "classes",
    [
        ["Paris, France", "Lyon, France", "Rome, Italy"],
        ["a", "b"],
        ["yes; of course", "no"],
        ["1,5", "2,7", "3,9"],
        ["|", "a|"],
        None,
    ],
)
def test_other_labels_are_not_reported(classes):
    assert label_warnings(Target(name="y", classes=classes)) == []
