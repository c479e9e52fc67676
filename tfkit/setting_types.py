"""Types of settings: parse text from the command line, and describe a type in an error message."""

import json
from typing import Any

from pydantic import ConfigDict, TypeAdapter

TYPE_NAMES = {
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "none",
    "string": "text",
    "array": "a list (a,b,c)",
    "object": "a mapping (a:x,b:y)",
}

BOUNDS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}


class SettingType:
    """The type of a setting: parses and validates values, and describes itself.

    Args:
        annotation: A type that pydantic knows.

    Example:
        >>> setting_type = SettingType(int | None)
        >>> setting_type.value("7"), setting_type.value("none"), setting_type.describe()
        (7, None, 'an integer or none')
    """

    def __init__(self, annotation: Any):
        self.adapter: TypeAdapter[Any] = TypeAdapter(annotation, config=ConfigDict(allow_inf_nan=False))
        schema = self.adapter.json_schema()
        self.alternatives: list[dict[str, Any]] = schema.get("anyOf", [schema])

    def value(self, value: Any) -> Any:
        """Parse text, or validate a Python value.

        Raises:
            pydantic.ValidationError: If the value is not of the type.
        """
        return self.adapter.validate_python(self._parse(value) if isinstance(value, str) else value)

    def choices(self) -> list[Any]:
        """Return the values that are listed by name."""
        return [choice for schema in self.alternatives for choice in _choices(schema)]

    def describe(self) -> str:
        """Describe the type as the end of "must be"."""
        return " or ".join(_describe(schema) for schema in self.alternatives)

    def _parse(self, text: str) -> Any:
        """Parse none, lists and mappings, which pydantic does not read from text."""
        types = {schema.get("type") for schema in self.alternatives}
        if text in self.choices():
            return text
        if "null" in types and text.lower() == "none":
            return None
        if types & {"array", "object"} and text[:1] in ("[", "{"):
            try:
                return json.loads(text)
            except (ValueError, RecursionError):
                return text
        items = [item.strip() for item in text.split(",") if item.strip()]
        if "array" in types:
            return items
        if "object" in types and all(":" in item for item in items):
            return dict(item.rsplit(":", 1) for item in items)
        return text


def _choices(schema: dict[str, Any]) -> list[Any]:
    """Return the values that a JSON schema lists."""
    return schema["enum"] if "enum" in schema else [schema["const"]] if "const" in schema else []


def _describe(schema: dict[str, Any]) -> str:
    """Describe a JSON schema: `an integer >= 1`, `a, b or c`."""
    if choices := _choices(schema):
        *first, last = map(str, choices)
        return f"{', '.join(first)} or {last}" if first else last
    is_path = schema.get("format") == "path"
    name = "a path" if is_path else TYPE_NAMES.get(schema.get("type", ""), "a value of another type")
    bounds = " and ".join(f"{sign} {schema[bound]}" for bound, sign in BOUNDS.items() if bound in schema)
    items = schema.get("items", schema.get("additionalProperties"))
    return " ".join(filter(None, [name, bounds, f"of {_describe(items)}" if items else ""]))


def format_value(value: Any) -> str:
    """Format a value as on the command line.

    Example:
        >>> format_value([1, 2]), format_value(None), format_value(True)
        ('1,2', 'none', 'true')
    """
    if isinstance(value, list | tuple):
        return ",".join(map(format_value, value))
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
