"""What of the README is made by a program: `python tests/readme.py` writes the list of parts anew."""

from pathlib import Path

from tfkit.parts import ROOMS, parts

README = Path(__file__).resolve().parents[1] / "README.md"
BEGIN, END = "<!-- parts: make readme -->\n", "<!-- end of parts -->"


def table():
    """A line for each public part."""
    lines = [f"| `{part.name}` | {part.line.replace('|', chr(92) + '|')} |" for room in ROOMS for part in parts(room)]
    return "\n".join(["| part | what it does |", "|---|---|", *lines])


def written(text):
    """The README with a new list."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{table()}\n\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
