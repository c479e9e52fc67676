"""Cells with several tags: which columns have them, and how they are split and written."""

import hypothesis
import pytest
from hypothesis import strategies

from tfkit.data.columns.tags import DELIMITERS, LISTS, infer_delimiter, join_tags, parse_list, split_tags
from tfkit.errors import UserError

CHARACTERS = strategies.characters(exclude_characters="|;,", exclude_categories=["Cs"])
TAG = strategies.text(CHARACTERS, min_size=1, max_size=8)
TAGS = strategies.lists(TAG.map(str.strip).filter(bool), unique=True, max_size=5)


@hypothesis.given(TAGS, strategies.sampled_from([*DELIMITERS, LISTS]))
def test_tags_are_read_as_they_are_written(tags, delimiter):
    assert split_tags(join_tags(tags, delimiter), delimiter) == tags


@pytest.mark.parametrize(
    ("labels", "delimiter"),
    [
        (["red|round", "red", "round"], "|"),
        (["toxic;insult", "toxic", "none", "insult"], ";"),
        (["py, js", "js", "py", "go, js", "go"], ","),
        (["py,js", "js,py", "py", "js"], ","),
        (["Action|Comedy", "Action|Drama|Crime", "Comedy|Drama", "Drama", "Action|Comedy|Drama", "Comedy|Crime"], "|"),
        (['["a", "b"]', '["a"]', "[]"], LISTS),
        (["['a', 'b']", "['b']"], LISTS),
        (["[1, 2]", "[2]", "[3, 1]"], LISTS),
    ],
)
@pytest.mark.reading("Labels and tags", "read")
def test_columns_of_tags(labels, delimiter):
    assert infer_delimiter(labels) == delimiter


@pytest.mark.parametrize(
    "labels",
    [
        [*(f"{size}, {color}" for size in ("big", "small", "tiny", "huge", "mid") for color in "abcde"), "unknown"],
        ["Paris, France", "Lyon, France", "Rome, Italy", "Rome"],
        ["yes; of course", "no", "yes"],
        ["female, young", "female, old", "male, young", "male, old"],
        ["Agree, somewhat", "Agree, strongly", "Disagree, somewhat", "Disagree, strongly", "Neutral"],
        ["a", "b"],
        ["|", "a|"],
        ["[a", "b]"],
        ["Smith, John", "Smith, Anna", "Jones, John", "Brown, Bob"],
        [],
    ],
)
@pytest.mark.reading("Labels and tags", "read")
def test_columns_of_classes(labels):
    assert infer_delimiter(labels) is None


@pytest.mark.parametrize("cell", ["[", "[a]", "a", "[[1]]", '{"a": 1}', "[" * 10_000 + "]"])
@pytest.mark.reading("Labels and tags", "refused")
def test_text_that_is_not_a_list(cell):
    assert parse_list(cell) is None
    with pytest.raises(UserError, match="list of tags, as in the training data"):
        split_tags(cell, LISTS)
