"""Malformed settings: each is accepted, or raises a UserError with a message of one line."""

import json

import pytest

import tfkit
from tests.robustness.expectations import check_message, time_limit
from tfkit.config import read_settings
from tfkit.errors import UserError

DEEP_JSON = "[" * 100_000
FILES = {
    "empty": "",
    "spaces": "  ",
    "null": "null",
    "list": "[]",
    "number": "7",
    "word": '"x"',
    "open": "{",
    "deep": DEEP_JSON,
    "deep_object": '{"a":' * 50_000,
    "nul": "\0",
    "two": "{}{}",
    "bom": '\ufeff{"epochs": 5}',
    "comment": '{"epochs": 5} // x',
    "single": "{'epochs': 5}",
    "twice": '{"epochs": 5, "epochs": "x"}',
    "infinite": '{"learning_rate": Infinity}',
    "nan": '{"learning_rate": NaN}',
    "large": '{"epochs": 1e400}',
    "digits": '{"epochs": ' + "9" * 5000 + "}",
    "surrogate": '{"\\ud800": 1}',
    "dunder": '{"__class__": "x"}',
    "config": '{"model_config": {}}',
    "method": '{"check": 1, "words": 2}',
    "flag": '{"out": "../x"}',
    "script": '{"<script>": 1}',
    "line": '{"a\\nb": 1}',
}
VALUES = (
    None,
    True,
    [],
    {},
    [[]],
    {"a": 1},
    "",
    " ",
    "x",
    "../../x",
    "\0",
    "\n",
    "🦄" * 1000,
    -1,
    0,
    0.5,
    10**400,
    1e308,
    float("nan"),
    float("inf"),
    b"x",
    object(),
    ["a", None],
    [1, [2]],
)


@pytest.mark.parametrize("name", FILES)
def test_settings_files(name, tmp_path):
    path = tmp_path / "s.json"
    path.write_bytes(FILES[name].encode())
    try:
        with time_limit():
            config = tfkit.load_recipe("tabular").Config.from_dict(read_settings(path))
    except UserError as error:
        check_message(error)
    else:
        assert json.dumps(config.to_dict(), allow_nan=False)


@pytest.mark.parametrize("recipe_name", [name for name, _ in tfkit.list_recipes()])
def test_every_value_for_every_setting(recipe_name):
    Config = tfkit.load_recipe(recipe_name).Config
    for name in Config.model_fields:
        for value in VALUES:
            try:
                validated = Config.validate_setting(name, value)
                Config.from_dict({name: value})
            except UserError as error:
                check_message(error)
            else:
                assert json.dumps(Config.model_construct(**{name: validated}).model_dump(mode="json", include={name}))
