"""Loading, splitting, preprocessing and reading of texts."""

import json
import logging

import numpy as np
import pandas as pd
import pytest

from tfkit.data import text
from tfkit.errors import UserError
from tfkit.metadata import Metadata

GOOD, BAD = "I like this one a lot", "what a waste of money"


def frame(rows=40):
    suffixes = [f"number {first}{second}" for first in "abcd" for second in "klmnopqrst"]
    body = [f"{(GOOD, BAD)[row % 2]} {suffixes[row]}" for row in range(rows)]
    return pd.DataFrame({"label": ["good", "bad"] * (rows // 2), "body": body})


@pytest.fixture
def metadata():
    rows, _, name, messages = text.load(frame(), None, "label")
    return text.fit_schema(rows, name, text.infer_target(rows["label"]), messages=messages)


def test_the_text_column_is_the_one_with_the_longest_texts():
    wide = frame().assign(code="x1", amount=3.5)
    rows, test, name, messages = text.load(wide, None, "label")
    assert (name, list(rows), test, messages) == (
        "body",
        ["body", "label"],
        None,
        ["text column: body; not used: 'code', 'amount'"],
    )
    assert text.load(wide, "code", "label")[2] == "code"


def test_rows_without_a_target_or_a_text_are_dropped_with_a_message():
    table = frame()
    table.loc[:2, "label"] = None
    table.loc[10, "body"] = "  "
    table.loc[11, "body"] = None
    rows, _, _, messages = text.load(table, None, "label")
    assert len(rows) == 35
    assert messages == ["3 of 40 rows dropped: label is missing", "2 of 40 rows dropped: no body"]


def test_usual_missing_values_are_valid_texts_and_classes():
    table = frame().assign(label=["none", "nan"] * 20)
    table.loc[0, "body"] = "?"
    assert len(text.load(table, None, "label")[0]) == 40
    assert len(text.load(table, None, "label", na_values=["nan"])[0]) == 20


@pytest.mark.parametrize(
    ("columns", "settings", "message"),
    [
        (
            {"body": range(40)},
            ("body",),
            "must have texts; name it with text_column=.*'body', which has numbers",
        ),
        ({"body": [f"{n}.5" for n in range(40)]}, ("body",), "which has numbers"),
        ({"body": pd.date_range("2024-01-01", periods=40)}, ("body",), "which has dates"),
        ({"body": None}, ("body",), "which has no values"),
        (
            {"body": range(40)},
            (None,),
            "must have a column of texts; name it with text_column=. Received: 'label', 'body'",
        ),
        ({}, ("boody",), "must have the column 'boody'. Did you mean 'body'?"),
        ({"label": [None] * 40}, ("body",), "The target must be present in at least one row"),
        (
            {"label": ["a", *[None] * 39], "body": ["", *["x y z"] * 39]},
            ("body",),
            "empty in every row with a target",
        ),
    ],
)
def test_a_table_without_texts_is_an_error(columns, settings, message):
    with pytest.raises(UserError, match=message):
        text.load(frame().assign(**columns), *settings, "label")


def test_texts_of_the_test_table_are_removed_from_training():
    table = frame()
    test = table[:4].assign(body=table["body"][:4].str.upper() + " ")
    rows, _, _, messages = text.load(table, None, "label", test_data=test)
    assert len(rows) == 36
    assert messages == ["4 of 40 rows dropped: their text is in the test table too"]
    with pytest.raises(UserError, match="must have texts that are not in the test table"):
        text.load(table, None, "label", test_data=table)
    with pytest.raises(UserError, match="The test table must have the column 'body'"):
        text.load(table, None, "label", test_data=table.drop(columns="body"))


@pytest.mark.parametrize("seed", range(5))
def test_rows_with_the_same_text_stay_in_one_split(seed):
    table = pd.concat([frame(), frame().assign(body=lambda f: f["body"].str.upper()), frame()[::-1]], ignore_index=True)
    table.loc[100, "label"] = "bad"  # the same text with two labels
    target = text.infer_target(table["label"])
    splits = text.split(table, "body", target, test_data=None, val_fraction=0.2, test_fraction=0.2, seed=seed)
    assert sum(map(len, splits)) == 120
    distinct = [set(split["body"].str.lower()) for split in splits]
    assert [len(split) for split in distinct] == [24, 8, 8]
    assert len(distinct[0] | distinct[1] | distinct[2]) == 40


def test_schema_of_the_training_rows(metadata):
    assert metadata.tokenization == "words"
    assert metadata.target.counts == {"bad": 20, "good": 20}
    assert metadata.sequences["words"].vocabulary[0] == "a"  # in every text
    assert set(metadata.sequences) == {"words", "characters"}
    lengths = frame()["body"].str.len()
    assert metadata.length == lengths.max()
    truncated = text.fit_schema(frame(), "body", metadata.target, max_length=10)
    assert truncated.length == 10
    assert "texts are truncated to 10 characters; 40 of 40 training texts are longer" in truncated.notes
    assert truncated.sequences["characters"].length <= 10
    assert Metadata.from_dict(json.loads(json.dumps(metadata.to_dict()))) == metadata


@pytest.mark.parametrize(
    ("body", "kind"),
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
def test_tokens_are_characters_in_scripts_without_spaces(body, kind):
    table = frame().assign(body=body)
    target = text.infer_target(table["label"])
    assert text.fit_schema(table, "body", target).tokenization == kind
    assert text.fit_schema(table, "body", target, tokenization="words").tokenization == "words"


def test_datasets_have_uint16_ids_and_the_original_texts(metadata):
    rows = text.make_dataset(frame(), metadata, text.make_preprocessor(metadata))
    x, y, _ = rows.arrays
    assert {name: ids.dtype.name for name, ids in x.items()} == {"words": "uint16", "characters": "uint16"}
    assert y.tolist() == [1, 0] * 20
    assert rows.raw_inputs(np.arange(2))["text"][:, 0].tolist() == frame()["body"][:2].tolist()


def test_numeric_targets_are_standardized():
    table = frame().assign(stars=np.linspace(1, 5, 40))
    target = text.infer_target(table["stars"])
    metadata = text.fit_schema(table, "body", target)
    y = text.make_dataset(table, metadata, text.make_preprocessor(metadata)).arrays[1]
    assert (y.mean(), y.std()) == pytest.approx((0, 1), abs=1e-6)


def test_reader_returns_texts_targets_and_columns(metadata):
    raw, targets, columns = text.read(frame(), metadata, with_targets=True, with_columns=True)
    assert raw["text"].shape == (40, 1)
    assert targets.tolist() == [1, 0] * 20
    assert list(columns) == ["label", "body"]
    raw = text.read(["table words", "and more"], metadata)
    assert raw["text"].tolist() == [["table words"], ["and more"]]
    raw = text.read({"body": ["zero \0 byte", None]}, metadata)
    assert raw["text"].tolist() == [["zero  byte"], [""]]


def test_the_folder_of_a_text_file_is_its_class(tmp_path, metadata):
    for name, content in {
        "good/a.txt": GOOD,
        "good/deep/b.txt": GOOD,
        "bad/c.txt": BAD,
        "bad/.hidden/d.txt": "x",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "bad" / "latin.txt").write_bytes("schön".encode("latin-1"))
    (tmp_path / "bad" / "read.me").write_text("no text")
    rows, _, name, _ = text.load(tmp_path, None, "label")
    assert (name, sorted(rows["text"])) == ("text", sorted([GOOD, GOOD, BAD, "schön"]))
    assert rows["label"].value_counts().to_dict() == {"good": 2, "bad": 2}
    _, targets, columns = text.read(tmp_path, metadata, with_targets=True, with_columns=True)
    assert columns["file"].tolist() == ["bad/c.txt", "bad/latin.txt", "good/a.txt", "good/deep/b.txt"]
    assert targets.tolist() == [0, 0, 1, 1]


def test_a_folder_without_texts_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"must contain \.txt files, for training in one folder per class"):
        text.load(tmp_path, None, "label")


def test_new_data_unlike_training_gives_errors_and_warnings(metadata, caplog):
    with pytest.raises(UserError, match="The table must have the column 'body'"):
        text.read(frame().rename(columns={"body": "text"}), metadata)
    with pytest.raises(UserError, match="'body', which has numbers"):
        text.read({"body": [1.5, 2.5]}, metadata)
    with pytest.raises(UserError, match="There must be rows with a target to score"):
        text.read(frame().assign(label=None), metadata, with_targets=True)
    with caplog.at_level(logging.WARNING, "tfkit"):
        table = frame()
        table.loc[0, "label"] = None
        table.loc[1, "body"] = None
        assert len(text.read(table, metadata, with_targets=True)[1]) == 39
        text.read(["völlig andere wörter hier"], metadata)
    assert "1 of 40 rows dropped: no label" in caplog.text
    assert "1 of 39 texts are empty" in caplog.text
    assert "100% of the words of these texts are not in the vocabulary" in caplog.text
