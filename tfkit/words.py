"""The shell speaks in words: what value a word stands for, and in what words a type is explained."""

import json
from typing import Any

from pydantic import ConfigDict, TypeAdapter

TYPES = {
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "null": "none",
    "string": "text",
    "array": "a list (a,b,c)",
    "object": "a mapping (a:x,b:y)",
}
BOUNDS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}


class Kind:
    """What a setting may be: its type, read once, that checks a word and explains itself.

    Example:
        >>> kind = Kind(int | None)
        >>> kind.value("7"), kind.value("none"), kind.rule()
        (7, None, 'an integer or none')
    """

    def __init__(self, annotation: Any):
        self.adapter: TypeAdapter[Any] = TypeAdapter(annotation, config=ConfigDict(allow_inf_nan=False))
        schema = self.adapter.json_schema()
        self.parts: list[dict[str, Any]] = schema.get("anyOf", [schema])

    def value(self, word: Any) -> Any:
        """The value that `word`, a word or a Python value, stands for; pydantic's ValidationError where it has none."""
        return self.adapter.validate_python(self._plain(word) if isinstance(word, str) else word)

    def choices(self) -> list[Any]:
        """The values that are listed by name."""
        return [choice for part in self.parts for choice in _choices(part)]

    def rule(self) -> str:
        """What a value may be, as the end of "must be"."""
        return " or ".join(_rule(part) for part in self.parts)

    def _plain(self, word: str) -> Any:
        """Read what pydantic does not: none, lists and mappings."""
        types = {part.get("type") for part in self.parts}
        if word in self.choices():
            return word
        if "null" in types and word.lower() == "none":
            return None
        if types & {"array", "object"} and word[:1] in ("[", "{"):
            try:
                return json.loads(word)
            except (ValueError, RecursionError):
                return word
        items = [item.strip() for item in word.split(",") if item.strip()]
        if "array" in types:
            return items
        if "object" in types and all(":" in item for item in items):
            return dict(item.rsplit(":", 1) for item in items)
        return word


def _choices(part: dict[str, Any]) -> list[Any]:
    return part["enum"] if "enum" in part else [part["const"]] if "const" in part else []


def _rule(part: dict[str, Any]) -> str:
    if choices := _choices(part):
        *first, last = map(str, choices)
        return f"{', '.join(first)} or {last}" if first else last
    name = "a path" if part.get("format") == "path" else TYPES.get(part.get("type", ""), "a value of another type")
    bounds = " and ".join(f"{sign} {part[bound]}" for bound, sign in BOUNDS.items() if bound in part)
    inside = part.get("items", part.get("additionalProperties"))
    return " ".join(filter(None, [name, bounds, f"of {_rule(inside)}" if inside else ""]))
