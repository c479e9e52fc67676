import pytest

from tfkit.config import Config
from tfkit.errors import UserError
from tfkit.manual import CONFIG, Setting, manual, settings, table


def test_the_manual_is_the_docstring(page):
    assert manual(page) == "Say yes to everything.\n\nData     none"
    page.write_text("x = 1\n")
    assert manual(page) == ""


def test_the_settings_of_a_page_are_read_from_its_lines(page):
    assert settings(page) == {
        "table": Setting("Path", "Path('sample.csv')", "the rows"),
        "target": Setting("str", "income", "the column to predict"),
        "depth": Setting("int >= 1", "3", "hidden layers"),
        "body": Setting("mlp | ensemble", "mlp", ""),
        "epochs": Setting("int >= 1 | none", "7", ""),
    }


def test_every_setting_of_config_is_found_and_explained():
    found = settings(CONFIG)
    assert list(found) == list(Config.model_fields)
    assert all(setting.meaning for setting in found.values())
    assert found["seed"].kind == "int >= 0, < 2 ** 31"
    assert found["optimizer"].kind.startswith("sgd | momentum | ")
    assert found["deterministic"] == Setting("bool", "true", "the same seed gives the same bits")
    assert found["patience"].default == "none"


def test_defaults_are_said_as_they_are_typed(page):
    page.write_text('class Config:\n    table: str\n    word: str = ""\n    rows: Path = tfkit.sample("x.csv")\n')
    assert [setting.default for setting in settings(page).values()] == ["(must be given)", '""', "x.csv (sample)"]


def test_a_page_that_does_not_parse_is_said_with_its_line(page):
    page.write_text("x = 1\ny = = 2\n")
    with pytest.raises(UserError, match=r"mine\.py, line 2: invalid syntax"):
        manual(page)


def test_what_is_too_long_for_its_column_has_a_line_of_its_own():
    lines = table({"a": Setting("int", "1", "short"), "bb": Setting("x | " * 10 + "y", "y", "long")})
    assert lines == ["  a   int  1  short", "  bb  ...  y  long", "      " + "x | " * 10 + "y"]
