"""Texts from whatever holds them, held against what was learnt."""

import logging

import numpy as np
import pandas as pd
import pytest

from tfkit.data import texts
from tfkit.data.targets import learn_target
from tfkit.errors import UserError

GOOD, BAD = "I like this one a lot", "what a waste of money"


def frame(rows=40):
    ends = [f"number {one}{two}" for one in "abcd" for two in "klmnopqrst"]
    body = [f"{(GOOD, BAD)[number % 2]} {ends[number]}" for number in range(rows)]
    return pd.DataFrame({"label": ["good", "bad"] * (rows // 2), "body": body})


@pytest.fixture
def info():
    rows, _, name, said = texts.load_texts(frame(), None, "label")
    return texts.learn_texts(rows, name, learn_target(rows["label"]), said=said)


def test_the_column_of_texts_is_the_one_with_the_longest():
    wide = frame().assign(code="x1", amount=3.5)
    rows, test, name, said = texts.load_texts(wide, None, "label")
    assert (name, list(rows), test, said) == ("body", ["body", "label"], None, [])
    assert texts.load_texts(wide, "code", "label")[2] == "code"


def test_rows_without_a_target_or_a_text_are_left_out_and_said():
    some = frame()
    some.loc[:2, "label"] = None
    some.loc[10, "body"] = "  "
    some.loc[11, "body"] = None
    rows, _, _, said = texts.load_texts(some, None, "label")
    assert len(rows) == 35
    assert said == ["3 of 40 rows dropped: label is missing", "2 of 40 rows left out: no body"]


def test_what_looks_missing_in_a_table_is_a_text_here():
    some = frame().assign(label=["none", "nan"] * 20)
    some.loc[0, "body"] = "?"
    assert len(texts.load_texts(some, None, "label")[0]) == 40
    assert len(texts.load_texts(some, None, "label", missing=["nan"])[0]) == 20


@pytest.mark.parametrize(
    ("columns", "settings", "message"),
    [
        ({"body": range(40)}, ("body",), "must hold texts; name it with text=.*'body', which holds numbers"),
        ({"body": [f"{n}.5" for n in range(40)]}, ("body",), "which holds numbers"),
        ({"body": pd.date_range("2024-01-01", periods=40)}, ("body",), "which holds dates"),
        ({"body": None}, ("body",), "which holds nothing"),
        ({"body": range(40)}, (None,), "must have a column of texts; name it with text=. Received: 'label', 'body'"),
        ({}, ("boody",), "must have the column 'boody'. Did you mean 'body'?"),
        ({"label": [None] * 40}, ("body",), "The target must be present in at least one row"),
        ({"label": ["a", *[None] * 39], "body": ["", *["x y z"] * 39]}, ("body",), "empty in every row with a target"),
    ],
)
def test_a_table_without_texts_is_refused(columns, settings, message):
    with pytest.raises(UserError, match=message):
        texts.load_texts(frame().assign(**columns), *settings, "label")


def test_texts_of_the_test_table_are_not_learnt():
    some = frame()
    test = some[:4].assign(body=some["body"][:4].str.upper() + " ")
    rows, _, _, said = texts.load_texts(some, None, "label", test_table=test)
    assert len(rows) == 36
    assert said == ["4 of 40 rows left out: their text stands in the test table too"]
    with pytest.raises(UserError, match="must have texts that are not in the test table"):
        texts.load_texts(some, None, "label", test_table=some)
    with pytest.raises(UserError, match="The test table must have the column 'body'"):
        texts.load_texts(some, None, "label", test_table=some.drop(columns="body"))


@pytest.mark.parametrize("seed", range(5))
def test_rows_of_one_text_stay_in_one_split(seed):
    some = pd.concat([frame(), frame().assign(body=lambda f: f["body"].str.upper()), frame()[::-1]], ignore_index=True)
    some.loc[100, "label"] = "bad"  # one text, two labels
    target = learn_target(some["label"])
    parts = texts.split_texts(some, "body", target, test=None, val_fraction=0.2, test_fraction=0.2, seed=seed)
    assert sum(map(len, parts)) == 120
    found = [set(part["body"].str.lower()) for part in parts]
    assert [len(one) for one in found] == [24, 8, 8]
    assert len(found[0] | found[1] | found[2]) == 40


def test_what_is_learnt(info):
    assert info["tokens"] == "words"
    assert info["target"]["counts"] == {"bad": 20, "good": 20}
    assert info["streams"]["words"]["vocabulary"][0] == "a"  # in every text
    assert set(info["streams"]) == {"words", "characters"}
    lengths = frame()["body"].str.len()
    assert info["length"] == lengths.max()
    short = texts.learn_texts(frame(), "body", info["target"], max_length=10)
    assert short["length"] == 10
    assert "texts are read to their character 10; 40 of 40 training texts are longer, and are cut" in short["cleaning"]
    assert short["streams"]["characters"]["length"] <= 10


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
def test_the_kind_of_token_is_what_the_script_needs(text, kind):
    some = frame().assign(body=text)
    info = texts.learn_texts(some, "body", learn_target(some["label"]))
    assert info["tokens"] == kind
    assert texts.learn_texts(some, "body", learn_target(some["label"]), kind="words")["tokens"] == "words"


def test_a_split_keeps_small_ids_and_the_texts_as_they_were(info):
    rows = texts.text_rows(frame(), info, texts.prepare_texts(info))
    x, y, _ = rows.arrays
    assert {name: ids.dtype.name for name, ids in x.items()} == {"words": "uint16", "characters": "uint16"}
    assert y.tolist() == [1, 0] * 20
    assert rows.raw(np.arange(2))["text"][:, 0].tolist() == frame()["body"][:2].tolist()


def test_a_number_is_taught_scaled():
    some = frame().assign(stars=np.linspace(1, 5, 40))
    target = learn_target(some["stars"])
    info = texts.learn_texts(some, "body", target)
    y = texts.text_rows(some, info, texts.prepare_texts(info)).arrays[1]
    assert (y.mean(), y.std()) == pytest.approx((0, 1), abs=1e-6)


def test_reading_gives_texts_truth_and_what_stands_beside(info):
    raw, truth, own = texts.read_texts(frame(), info, target=True, own=True)
    assert raw["text"].shape == (40, 1)
    assert truth.tolist() == [1, 0] * 20
    assert list(own) == ["label", "body"]
    raw = texts.read_texts(["some words", "and more"], info)
    assert raw["text"].tolist() == [["some words"], ["and more"]]
    raw = texts.read_texts({"body": ["zero \0 byte", None]}, info)
    assert raw["text"].tolist() == [["zero  byte"], [""]]


def test_a_folder_of_files_is_read_with_its_folders_as_classes(tmp_path, info):
    for name, text in {"good/a.txt": GOOD, "good/deep/b.txt": GOOD, "bad/c.txt": BAD, "bad/.hidden/d.txt": "x"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "bad" / "latin.txt").write_bytes("schön".encode("latin-1"))
    (tmp_path / "bad" / "read.me").write_text("no text")
    rows, _, name, _ = texts.load_texts(tmp_path, None, "label")
    assert (name, sorted(rows["text"])) == ("text", sorted([GOOD, GOOD, BAD, "schön"]))
    assert rows["label"].value_counts().to_dict() == {"good": 2, "bad": 2}
    _, truth, own = texts.read_texts(tmp_path, info, target=True, own=True)
    assert own["file"].tolist() == ["bad/c.txt", "bad/latin.txt", "good/a.txt", "good/deep/b.txt"]
    assert truth.tolist() == [0, 0, 1, 1]


def test_a_folder_without_texts_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"must hold \.txt files, for training in a folder for each class"):
        texts.load_texts(tmp_path, None, "label")


def test_what_does_not_fit_is_refused(info, caplog):
    with pytest.raises(UserError, match="The table must have the column 'body'"):
        texts.read_texts(frame().rename(columns={"body": "text"}), info)
    with pytest.raises(UserError, match="'body', which holds numbers"):
        texts.read_texts({"body": [1.5, 2.5]}, info)
    with pytest.raises(UserError, match="There must be rows with a target to score"):
        texts.read_texts(frame().assign(label=None), info, target=True)
    with caplog.at_level(logging.WARNING, "tfkit"):
        some = frame()
        some.loc[0, "label"] = None
        some.loc[1, "body"] = None
        assert len(texts.read_texts(some, info, target=True)[1]) == 39
        texts.read_texts(["völlig andere wörter hier"], info)
    assert "1 of 40 rows left out: no label" in caplog.text
    assert "1 of 39 texts are empty" in caplog.text
    assert "100% of the words of these texts were not in training" in caplog.text
