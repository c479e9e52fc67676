"""Generate the list of public components in the README: `python tests/readme.py`."""

from pathlib import Path

from tfkit.catalog.components import COMPONENT_PACKAGES, list_components

README = Path(__file__).resolve().parents[1] / "README.md"
BEGIN, END = "<!-- parts: make readme -->\n", "<!-- end of parts -->"


def table():
    """Return a Markdown table with a row for each public component."""
    lines = [
        f"| `{component.name}` | {component.line.replace('|', chr(92) + '|')} |"
        for module in COMPONENT_PACKAGES
        for component in list_components(module)
    ]
    return "\n".join(["| part | what it does |", "|---|---|", *lines])


def written(text):
    """Return the README text with a new list."""
    before, after = text.split(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n\n{END}{after.split(END)[1]}"


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
