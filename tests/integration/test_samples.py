"""The data cards of the samples are correct: checksums, counts, ranges."""

import gzip
import hashlib
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tfkit.data.files.read import read_frame
from tfkit.data.series.files import find_series

DATA = Path(__file__).parents[2] / "data"
SAMPLES = ["adult", "co2", "diamonds", "reviews_zh"]


def find_integer(pattern, text):
    return int(re.search(pattern, text).group(1).replace(",", ""))


@pytest.mark.parametrize("name", SAMPLES)
def test_the_card_of_a_table_is_correct(name):
    card, file = (DATA / f"{name}.md").read_text(), DATA / f"{name}.csv.gz"
    frame = read_frame(file)
    assert hashlib.sha256(file.read_bytes()).hexdigest() in card
    assert hashlib.sha256(gzip.decompress(file.read_bytes())).hexdigest() in card
    assert len(frame) == find_integer(r"- ([\d,]+) rows", card)
    assert frame.shape[1] == find_integer(r"rows, (\d+) columns", card)
    assert int(frame.duplicated().sum()) == find_integer(r"- ([\d,]+) rows equal an earlier one", card)
    assert re.findall(r"^\| `(.+?)` \|", card, re.MULTILINE) == list(frame)
    for column, classes in re.findall(r"^\| `(.+?)` \| category, (\d+)", card, re.MULTILINE):
        assert frame[column].nunique() == int(classes)
    for column, low, high in re.findall(r"^\| `(.+?)` \| number \|.*?([\d.,]+) to ([\d.,]+)", card, re.MULTILINE):
        values = frame[column].astype(float)
        assert [values.min(), values.max()] == [float(text.rstrip(",").replace(",", "")) for text in (low, high)]


def test_the_counts_in_the_card_of_adult_are_correct():
    card, frame = (DATA / "adult.md").read_text(), read_frame(DATA / "adult.csv.gz")
    for column in ("workclass", "occupation", "native-country"):
        assert f"{frame[column].isna().sum():,} in `{column}`" in card
    assert frame.isna().any(axis=1).sum() == find_integer(r"([\d,]+) rows have", card)
    assert frame["income"].value_counts().to_dict() == {"<=50K": 24_720, ">50K": 7_841}
    assert "24,720" in card
    assert "7,841" in card


def test_the_counts_in_the_card_of_diamonds_are_correct():
    card, frame = (DATA / "diamonds.md").read_text(), read_frame(DATA / "diamonds.csv.gz")
    price = frame["price"].astype(float)
    assert not frame.isna().any(axis=None)
    assert f"mean of {price.mean():,.0f} dollars, a median of {price.median():,.0f}" in card
    assert f"standard deviation of {price.std():,.0f}" in card
    zeros = {column: int((frame[column].astype(float) == 0).sum()) for column in "xyz"}
    assert "`x` in {x}, `y` in {y}, `z` in {z}".format(**zeros) in card


def test_the_counts_in_the_card_of_reviews_zh_are_correct():
    card, frame = (DATA / "reviews_zh.md").read_text(), read_frame(DATA / "reviews_zh.csv.gz")
    assert frame["label"].value_counts().to_dict() == {"positive": 2_000, "negative": 2_000}
    assert not frame["text"].duplicated().any()
    lengths = frame["text"].str.len()
    assert f"{lengths.min()} to {lengths.max():,} characters, half of them {lengths.median():.0f} or fewer" in card


def test_the_counts_in_the_card_of_co2_are_correct():
    card, frame = (DATA / "co2.md").read_text(), read_frame(DATA / "co2.csv.gz")
    days = pd.to_datetime(frame["date"], format="%Y%m%d")
    assert (days.diff().dropna() == pd.Timedelta(days=7)).all()
    assert (days.dt.day_name() == "Saturday").all()
    missing = frame["co2"].isna()
    assert f"{missing.sum()} in `co2`" in card
    assert (missing & (days.dt.year < 1965)).sum() > missing.sum() / 2
    assert f"{days.iloc[0]:%B\n%Y}" in card
    assert f"{days.iloc[-1]:%B %Y}" in card


def test_the_card_of_digits_is_correct():
    card, file = (DATA / "digits.md").read_text(), DATA / "digits.zip"
    assert hashlib.sha256(file.read_bytes()).hexdigest() in card
    digest, images, counts = hashlib.sha256(), set(), {}
    with zipfile.ZipFile(file) as archive:
        for name in sorted(archive.namelist()):
            pixels = np.asarray(Image.open(archive.open(name)))
            assert pixels.shape == (8, 8)
            digest.update(name.encode() + pixels.tobytes())
            images |= {pixels.tobytes()}
            counts[name.split("/")[0]] = counts.get(name.split("/")[0], 0) + 1
    assert digest.hexdigest() in card
    assert len(images) == sum(counts.values()) == find_integer(r"- ([\d,]+) pictures", card)
    assert {label: str(count) for label, count in counts.items()} == dict(re.findall(r"\| `(\d)` \| (\d+) \|", card))


def test_the_card_of_japanese_vowels_is_correct():
    card, file = (DATA / "japanese_vowels.md").read_text(), DATA / "japanese_vowels.ts.gz"
    assert hashlib.sha256(file.read_bytes()).hexdigest() in card
    assert hashlib.sha256(gzip.decompress(file.read_bytes())).hexdigest() in card
    collection = find_series(file)
    values = collection.arrays()
    assert len(collection) == len({series.tobytes() for series in values}) == find_integer(r"- ([\d,]+) series", card)
    assert len(collection.channels) == find_integer(r"series of (\d+) channels,", card)
    lengths = sorted(map(len, values))
    assert f"{lengths[0]} to {lengths[-1]} steps, half of the series have {lengths[320]} or fewer" in card
    all_values = np.concatenate(values)
    assert f"between {all_values.min():.6f} and {all_values.max():.6f}" in card
    counts = collection.frame["label"].value_counts()
    assert dict(re.findall(r"\| `(\d)` \| (\d+) \|", card)) == {label: str(count) for label, count in counts.items()}


def test_samples_are_small_and_each_has_a_card():
    files = [path for path in DATA.iterdir() if path.suffix != ".md"]
    assert {path.name.split(".")[0] for path in files} == {path.stem for path in DATA.glob("*.md")}
    assert sorted(path.name.split(".")[0] for path in files if path.name.endswith(".csv.gz")) == SAMPLES
    assert sum(path.stat().st_size for path in files) <= 8_000_000
