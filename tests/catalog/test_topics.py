"""Paragraphs on settings and metrics."""

import re
from typing import get_args

import pytest

import tfkit
from tfkit.catalog.topics import SYNONYMS, find_topic, topics
from tfkit.config import Config, MetricName
from tfkit.errors import UserError


def test_every_synonym_names_a_topic():
    assert set(SYNONYMS.values()) <= set(topics())
    assert not set(SYNONYMS) & set(topics())


@pytest.mark.parametrize("name", [*topics(), "lr", "Learning Rate", "over-fitting", "batch-size", "dropout"])
def test_a_topic_is_shown(name):
    assert tfkit.describe(name) == find_topic(name)


@pytest.mark.parametrize("name", sorted(set(get_args(MetricName)) - {"auto"}))
def test_every_metric_is_a_topic(name):
    assert find_topic(name)


def test_settings_in_the_texts_exist():
    fields = tfkit.load_recipe("tabular").Config.model_fields.keys() | Config.model_fields.keys()
    names = {name for text in topics().values() for name in re.findall(r"\b([a-z_0-9]+)=", text)}
    assert names <= fields
    for text in topics().values():
        for value in re.findall(r"metric=([a-z_0-9]+)", text):
            assert Config.validate_setting("metric", value) == value


def test_a_name_that_is_nearly_a_topic_is_suggested():
    with pytest.raises(UserError, match="Did you mean 'learning_rate'"):
        tfkit.describe("learning_rat")
