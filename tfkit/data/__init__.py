"""Kinds of input data, one package each, and what they share: files, columns, rows."""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tfkit.metadata import Metadata

__all__ = ["forecasting", "image", "load_metadata", "series", "tabular", "text"]


def load_metadata(values: "Mapping[str, Any]") -> "Metadata":
    """Metadata from the JSON of a run, typed by its kind of data."""
    from tfkit.metadata import Metadata

    for name in ("kind", "target"):
        values[name]  # a run without them is damaged: `RunJSON` raises a UserError
    module = f"tfkit.data.{values['kind']}"
    if str(values["kind"]).isidentifier() and find_spec(module) is not None:
        import_module(f"{module}.metadata")
    return Metadata.from_dict(values)


def __getattr__(name: str) -> Any:
    if name.startswith("_") or find_spec(f"tfkit.data.{name}") is None:
        raise AttributeError(f"module 'tfkit.data' has no attribute {name!r}. Its packages: {', '.join(__all__)}.")
    return import_module(f"tfkit.data.{name}")
