"""Settings that nobody wants: each is taken, or refused in one line."""

import json

import pytest

import tfkit
from tests.hostile.judge import in_time, line
from tfkit.config import read_settings
from tfkit.errors import UserError

DEEP = "[" * 100_000
FILES = {
    "empty": "",
    "spaces": "  ",
    "null": "null",
    "list": "[]",
    "number": "7",
    "word": '"x"',
    "open": "{",
    "deep": DEEP,
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
def test_files(name, tmp_path):
    path = tmp_path / "s.json"
    path.write_bytes(FILES[name].encode())
    try:
        with in_time():
            config = tfkit.load("tabular").Config.of(read_settings(path))
    except UserError as error:
        line(error)
    else:
        assert json.dumps(config.words(), allow_nan=False)


@pytest.mark.parametrize("page", [name for name, _ in tfkit.ls()])
def test_values_of_every_kind_for_every_setting(page):
    Config = tfkit.load(page).Config
    for name in Config.model_fields:
        for value in VALUES:
            try:
                taken = Config.checked(name, value)
                Config.of({name: value})
            except UserError as error:
                line(error)
            else:
                assert json.dumps(Config.model_construct(**{name: taken}).model_dump(mode="json", include={name}))
