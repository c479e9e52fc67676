"""Loading, splitting, preprocessing and reading of texts."""

import logging

import numpy as np
import pandas as pd
import pytest

from tfkit.data.columns.target import infer_target
from tfkit.data.text import dataset, loading, preprocessing, reading, schema
from tfkit.errors import UserError

GOOD, BAD = "I like this one a lot", "what a waste of money"


def frame(rows=40):
    suffixes = [f"number {first}{second}" for first in "abcd" for second in "klmnopqrst"]
    body = [f"{(GOOD, BAD)[row % 2]} {suffixes[row]}" for row in range(rows)]
    return pd.DataFrame({"label": ["good", "bad"] * (rows // 2), "architecture": body})


@pytest.fixture
def info():
    rows, _, name, messages = loading.load_texts(frame(), None, "label")
    return schema.learn_texts(rows, name, infer_target(rows["label"]), said=messages)


def test_the_text_column_is_the_one_with_the_longest_texts():
    wide = frame().assign(code="x1", amount=3.5)
    rows, test, name, messages = loading.load_texts(wide, None, "label")
    assert (name, list(rows), test, messages) == ("body", ["body", "label"], None, [])
    assert loading.load_texts(wide, "code", "label")[2] == "code"


def test_rows_without_a_target_or_a_text_are_dropped_with_a_message():
    table = frame()
    table.loc[:2, "label"] = None
    table.loc[10, "body"] = "  "
    table.loc[11, "body"] = None
    rows, _, _, messages = loading.load_texts(table, None, "label")
    assert len(rows) == 35
    assert messages == ["3 of 40 rows dropped: label is missing", "2 of 40 rows dropped: no body"]


def test_usual_missing_values_are_valid_texts_and_classes():
    table = frame().assign(label=["none", "nan"] * 20)
    table.loc[0, "body"] = "?"
    assert len(loading.load_texts(table, None, "label")[0]) == 40
    assert len(loading.load_texts(table, None, "label", missing=["nan"])[0]) == 20


@pytest.mark.parametrize(
    ("columns", "settings", "message"),
    [
        (
            {"architecture": range(40)},
            ("body",),
            "must have texts; name it with text_column=.*'body', which has numbers",
        ),
        ({"architecture": [f"{n}.5" for n in range(40)]}, ("body",), "which has numbers"),
        ({"architecture": pd.date_range("2024-01-01", periods=40)}, ("body",), "which has dates"),
        ({"architecture": None}, ("body",), "which has no values"),
        (
            {"architecture": range(40)},
            (None,),
            "must have a column of texts; name it with text_column=. Received: 'label', 'body'",
        ),
        ({}, ("boody",), "must have the column 'boody'. Did you mean 'body'?"),
        ({"label": [None] * 40}, ("body",), "The target must be present in at least one row"),
        (
            {"label": ["a", *[None] * 39], "architecture": ["", *["x y z"] * 39]},
            ("body",),
            "empty in every row with a target",
        ),
    ],
)
def test_a_table_without_texts_is_an_error(columns, settings, message):
    with pytest.raises(UserError, match=message):
        loading.load_texts(frame().assign(**columns), *settings, "label")


def test_texts_of_the_test_table_are_removed_from_training():
    table = frame()
    test = table[:4].assign(body=table["body"][:4].str.upper() + " ")
    rows, _, _, messages = loading.load_texts(table, None, "label", test_table=test)
    assert len(rows) == 36
    assert messages == ["4 of 40 rows dropped: their text is in the test table too"]
    with pytest.raises(UserError, match="must have texts that are not in the test table"):
        loading.load_texts(table, None, "label", test_table=table)
    with pytest.raises(UserError, match="The test table must have the column 'body'"):
        loading.load_texts(table, None, "label", test_table=table.drop(columns="body"))


@pytest.mark.parametrize("seed", range(5))
def test_rows_with_the_same_text_stay_in_one_split(seed):
    table = pd.concat([frame(), frame().assign(body=lambda f: f["body"].str.upper()), frame()[::-1]], ignore_index=True)
    table.loc[100, "label"] = "bad"  # the same text with two labels
    target = infer_target(table["label"])
    splits = loading.split_texts(table, "body", target, test=None, val_fraction=0.2, test_fraction=0.2, seed=seed)
    assert sum(map(len, splits)) == 120
    distinct = [set(split["body"].str.lower()) for split in splits]
    assert [len(split) for split in distinct] == [24, 8, 8]
    assert len(distinct[0] | distinct[1] | distinct[2]) == 40


def test_schema_of_the_training_rows(info):
    assert info["tokens"] == "words"
    assert info["target"]["counts"] == {"bad": 20, "good": 20}
    assert info["streams"]["words"]["vocabulary"][0] == "a"  # in every text
    assert set(info["streams"]) == {"words", "characters"}
    lengths = frame()["body"].str.len()
    assert info["length"] == lengths.max()
    truncated = schema.learn_texts(frame(), "body", info["target"], max_length=10)
    assert truncated["length"] == 10
    assert "texts are truncated to 10 characters; 40 of 40 training texts are longer" in truncated["cleaning"]
    assert truncated["streams"]["characters"]["length"] <= 10


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("这本书写得很好", "characters"),
        ("この本はとても良い", "characters"),
        ("หนังสือเล่มนี้ดีมาก", "characters"),
        ("이 책은 정말 좋아요", "words"),
        ("Eta книга хорошая", "words"),
        ("a Chinese word: 书", "words"),
        ("12 34", "words"),
    ],
)
def test_tokens_are_characters_in_scripts_without_spaces(text, kind):
    table = frame().assign(body=text)
    info = schema.learn_texts(table, "body", infer_target(table["label"]))
    assert info["tokens"] == kind
    assert schema.learn_texts(table, "body", infer_target(table["label"]), kind="words")["tokens"] == "words"


def test_datasets_have_uint16_ids_and_the_original_texts(info):
    rows = dataset.text_rows(frame(), info, preprocessing.prepare_texts(info))
    x, y, _ = rows.arrays
    assert {name: ids.dtype.name for name, ids in x.items()} == {"words": "uint16", "characters": "uint16"}
    assert y.tolist() == [1, 0] * 20
    assert rows.raw_inputs(np.arange(2))["text"][:, 0].tolist() == frame()["body"][:2].tolist()


def test_numeric_targets_are_standardized():
    table = frame().assign(stars=np.linspace(1, 5, 40))
    target = infer_target(table["stars"])
    info = schema.learn_texts(table, "body", target)
    y = dataset.text_rows(table, info, preprocessing.prepare_texts(info)).arrays[1]
    assert (y.mean(), y.std()) == pytest.approx((0, 1), abs=1e-6)


def test_reader_returns_texts_targets_and_columns(info):
    raw, targets, columns = reading.read_texts(frame(), info, target=True, own=True)
    assert raw["text"].shape == (40, 1)
    assert targets.tolist() == [1, 0] * 20
    assert list(columns) == ["label", "body"]
    raw = reading.read_texts(["table words", "and more"], info)
    assert raw["text"].tolist() == [["table words"], ["and more"]]
    raw = reading.read_texts({"architecture": ["zero \0 byte", None]}, info)
    assert raw["text"].tolist() == [["zero  byte"], [""]]


def test_the_folder_of_a_text_file_is_its_class(tmp_path, info):
    for name, text in {"good/a.txt": GOOD, "good/deep/b.txt": GOOD, "bad/c.txt": BAD, "bad/.hidden/d.txt": "x"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "bad" / "latin.txt").write_bytes("schön".encode("latin-1"))
    (tmp_path / "bad" / "read.me").write_text("no text")
    rows, _, name, _ = loading.load_texts(tmp_path, None, "label")
    assert (name, sorted(rows["text"])) == ("text", sorted([GOOD, GOOD, BAD, "schön"]))
    assert rows["label"].value_counts().to_dict() == {"good": 2, "bad": 2}
    _, targets, columns = reading.read_texts(tmp_path, info, target=True, own=True)
    assert columns["file"].tolist() == ["bad/c.txt", "bad/latin.txt", "good/a.txt", "good/deep/b.txt"]
    assert targets.tolist() == [0, 0, 1, 1]


def test_a_folder_without_texts_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"must contain \.txt files, for training in one folder per class"):
        loading.load_texts(tmp_path, None, "label")


def test_new_data_unlike_training_gives_errors_and_warnings(info, caplog):
    with pytest.raises(UserError, match="The table must have the column 'body'"):
        reading.read_texts(frame().rename(columns={"architecture": "text"}), info)
    with pytest.raises(UserError, match="'body', which has numbers"):
        reading.read_texts({"architecture": [1.5, 2.5]}, info)
    with pytest.raises(UserError, match="There must be rows with a target to score"):
        reading.read_texts(frame().assign(label=None), info, target=True)
    with caplog.at_level(logging.WARNING, "tfkit"):
        table = frame()
        table.loc[0, "label"] = None
        table.loc[1, "body"] = None
        assert len(reading.read_texts(table, info, target=True)[1]) == 39
        reading.read_texts(["völlig andere wörter hier"], info)
    assert "1 of 40 rows dropped: no label" in caplog.text
    assert "1 of 39 texts are empty" in caplog.text
    assert "100% of the words of these texts are not in the vocabulary" in caplog.text
