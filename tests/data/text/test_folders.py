"""Folders and archives of texts: splits, files without a suffix, encodings, classes without texts."""

import shutil

import pytest

from tfkit.data import text
from tfkit.data.text.files import read_text_frame

FILMS = {"pos": "a lovely film, number {}", "neg": "a dull film, number {}"}


def write_texts(folder, *, count=6, suffix=".txt", encoding="utf-8", films=FILMS):
    for label, content in films.items():
        (folder / label).mkdir(parents=True)
        for number in range(count):
            (folder / label / f"{number}{suffix}").write_bytes(content.format(number).encode(encoding))


def load(source, **options):
    return text.load(source, None, "label", **options)


@pytest.mark.parametrize(("train", "test"), [("train", "test"), ("Train", "Test"), ("training", "val")])
@pytest.mark.parametrize("root", ["", "corpus"])
@pytest.mark.reading("Folders", "read")
def test_folders_of_splits_are_not_classes(tmp_path, train, test, root):
    write_texts(tmp_path / root / train)
    write_texts(tmp_path / root / test, films={label: content + "!" for label, content in FILMS.items()})
    (tmp_path / root / "notes.txt").write_text("about these texts")
    frame, test_frame, _, messages = load(tmp_path)
    assert sorted(frame["label"].unique()) == sorted(test_frame["label"].unique()) == ["neg", "pos"]
    assert (len(frame), len(test_frame)) == (12, 12)
    assert f"{train} for training and validation, {test} for testing" in messages[0]


def test_other_test_texts_may_be_given(tmp_path):
    write_texts(tmp_path / "texts" / "train")
    write_texts(tmp_path / "texts" / "test")
    write_texts(tmp_path / "other", count=2, films={"pos": "bright {}", "neg": "bleak {}"})
    assert len(load(tmp_path / "texts", test_data=tmp_path / "other")[1]) == 4


@pytest.mark.parametrize("suffix", ["", ".txt", ".12345", ".TXT"])
@pytest.mark.reading("Folders", "read")
def test_files_without_a_suffix_are_texts(tmp_path, suffix):
    write_texts(tmp_path, suffix=suffix)
    assert len(load(tmp_path)[0]) == 12


@pytest.mark.reading("Folders", "stated")
def test_files_that_are_not_texts_are_named(tmp_path):
    write_texts(tmp_path)
    (tmp_path / "elk").mkdir()
    for number in range(20):
        (tmp_path / "elk" / f"{number}.docx").write_bytes(b"PK")
    (tmp_path / "pos" / "model").write_bytes(b"\0\1\2")
    (tmp_path / "gnu").mkdir()
    (tmp_path / "gnu" / "model").write_bytes(b"\0\1\2")
    frame, _, _, messages = load(tmp_path)
    assert len(frame) == 12
    assert "20 of 34 files skipped, not texts: '.docx'" in messages
    assert "class elk: 20 files, no text" in messages
    assert "class gnu: 1 files, no text" in messages


@pytest.mark.parametrize(
    ("encoding", "phrase"), [("cp1250", "žluťoučký kůň"), ("cp1251", "хороший"), ("cp1252", "café")]
)
def test_encoding_of_small_files(tmp_path, encoding, phrase):
    write_texts(tmp_path, encoding=encoding, films={label: f"{phrase} {text}" for label, text in FILMS.items()})
    frame, _, name, messages = load(tmp_path)
    assert frame[name].str.startswith(phrase).all()
    assert messages == [
        f"12 of 12 files are not UTF-8, but {encoding} by their letters; if letters are wrong, set encoding="
    ]


@pytest.mark.parametrize("archive", ["gztar", "tar", "zip", "bztar", "xztar"])
@pytest.mark.reading("Folders", "read")
def test_archives_of_folders(tmp_path, archive):
    write_texts(tmp_path / "texts")
    path = shutil.make_archive(str(tmp_path / "packed"), archive, tmp_path / "texts")
    frame, _ = read_text_frame(path, text_column=None, target="label")
    assert sorted(frame["label"].unique()) == ["neg", "pos"]
    assert len(frame) == 12


@pytest.mark.parametrize("label", ["unsup", "unsupervised", "Unlabeled", "unlabelled"])
@pytest.mark.reading("Folders", "stated")
def test_texts_without_labels_beside_the_classes(tmp_path, label):
    write_texts(tmp_path / "train", films={**FILMS, label: "seen {}", "mixed": "so {}"})
    write_texts(tmp_path / "test", films={"pos": "bright {}", "neg": "bleak {}"})
    frame, _, _, messages = load(tmp_path)
    assert sorted(frame["label"].unique()) == ["mixed", "neg", "pos"]
    assert f"6 texts of the folder {label!r} dropped: no labels, and not in the test folder" in messages
    assert "class mixed: 6 texts for training, none for testing" in messages
