"""Types of settings: parsing of text, and their descriptions."""

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError

from tfkit.setting_types import SettingType


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (int, "7", 7),
        (float, "1e-3", 0.001),
        (bool, "true", True),
        (bool, "no", False),
        (int | None, "none", None),
        (int | None, "None", None),
        (str, "none", "none"),
        (str | None, "none", None),
        (Literal["none", "step"], "none", "none"),
        (Literal["none", "step"] | None, "none", "none"),
        (int | Literal["all", "auto"], "all", "all"),
        (int | Literal["all", "auto"], "32", 32),
        (Path, "a b/c.csv", Path("a b/c.csv")),
        (list[str], "a, b,c", ["a", "b", "c"]),
        (list[str], "a", ["a"]),
        (list[str], "", []),
        (list[str], '["a,b", "c"]', ["a,b", "c"]),
        (tuple[int, ...], "1,2", (1, 2)),
        (tuple[int, ...] | None, "none", None),
        (dict[str, str], "age:number, a:b:text", {"age": "number", "a:b": "text"}),
        (dict[str, str], '{"a,b": "text"}', {"a,b": "text"}),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (str, "1,2", "1,2"),
    ],
)
def test_text_is_parsed_by_the_type_of_a_setting(annotation, text, value):
    result = SettingType(annotation).value(text)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("annotation", "text"),
    [(int, "x"), (int, "1.5"), (float, "nan"), (bool, "so"), (list[str], "[a"), (dict[str, str], "a")],
)
def test_text_that_is_not_of_the_type_raises(annotation, text):
    with pytest.raises(ValidationError):
        SettingType(annotation).value(text)


@pytest.mark.parametrize(
    ("annotation", "rule"),
    [
        (int, "an integer"),
        (Annotated[float, Field(ge=0, lt=1)], "a number >= 0 and < 1"),
        (Annotated[int, Field(ge=1)] | Literal["auto"], "an integer >= 1 or auto"),
        (Literal["a", "b", "c"], "a, b or c"),
        (bool | None, "true or false or none"),
        (Path, "a path"),
        (tuple[str, ...], "a list (a,b,c) of text"),
        (dict[str, Literal["x", "y"]], "a mapping (a:x,b:y) of x or y"),
        (int | list[str], "an integer or a list (a,b,c) of text"),
        (bytes | object, "text or a value of another type"),
    ],
)
def test_a_type_describes_itself(annotation, rule):
    assert SettingType(annotation).describe() == rule
