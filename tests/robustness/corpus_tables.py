"""Malformed tables by name: file content, and settings other than `data` and `target`."""

import gzip
import io
import zipfile

import numpy as np
import pandas as pd

NAMES = {
    "script": "<script>alert(1)</script>",
    "formula": "=cmd|'/c calc'!A1",
    "above": "../../etc/passwd",
    "rooted": "/etc/passwd",
    "long": "x" * 10_000,
    "quote": "it's",
    "template": "{{7*7}}{% raw %}",
    "percent": "%s%n%d",
    "shell": "$(touch here);`id`",
    "line": '"two\nlines"',
    "tab": '"a\tb"',
    "escape": "\x1b[31mred",
    "bell": "\x07",
    "emoji": "🦄👩‍👩‍👧",
    "rtl": "\u202egnp.exe",
    "hebrew": "שלום",
    "combining": "e\u0301" * 50,
    "space": "   ",
    "digits": "1e5",
    "dunder": "__class__",
    "init": "__init__.__globals__",
    "nan": "nan",
    "comma": '"a,b"',
    "slash": "a/b\\c:d",
    "dots": "..",
    "model": "predicted",
    "probability": "probability_u",
    "weight": "weight",
    "number_name": "0",
    "zero_width": "\u200b",
    "private": "\ue000",
    "kelvin": "K",
    "sharp": "ß",
    "collides": "A",
}
CELLS = {
    "large": "1e308",
    "too_large": "1e400",
    "tiny": "1e-320",
    "infinite": "inf",
    "minus": "-inf",
    "long_number": "9" * 400,
    "hex": "0x1F",
    "underscore": "1_000",
    "fraction": "1/2",
    "percent": "12%",
    "money": "$1,234.50",
    "arabic": "١٢٣",
    "full_width": "１２３",
    "roman": "Ⅻ",
    "year_0": "0000-01-01",
    "year_9999": "9999-12-31",
    "february": "2023-02-30",
    "date_far": "+292278994-08-17",
    "time_zone": "2024-01-01T00:00:00+99:99",
    "formula": "=1+1",
    "script": "<script>",
    "nul_escape": "\\x00",
    "long": "y" * 100_000,
    "emoji": "🦄",
    "half": "\ufffd",
    "true": "TRUE",
    "none": "None",
    "json": '"{""a"": [1]}"',
    "quote": '"""',
    "boolean": "true",
    "complex": "1+2j",
    "surrogates": "\U0001f1e6" * 9,
}


def make_frame(num_rows=60):
    """Return a table: a numeric column, a categorical column, two classes."""
    random = np.random.default_rng(0)
    numeric = random.normal(size=num_rows).round(3)
    return pd.DataFrame({"a": numeric, "b": random.choice(list("xyz"), num_rows), "y": np.where(numeric > 0, "u", "v")})


def csv_text(num_rows=60, **options):
    """Return the table as CSV text."""
    return make_frame(num_rows).to_csv(index=False, **options)


def with_column_name(name):
    """Return the CSV text with another name of the first column."""
    return csv_text().replace("a,b,y", f"{name},b,y", 1)


def with_cell(cell, every_row=False):
    """Return the CSV text with `cell` in each seventh (or every) numeric cell."""
    header, *lines = csv_text().splitlines()
    lines = [f"{cell},{line.partition(',')[2]}" if every_row or not i % 7 else line for i, line in enumerate(lines)]
    return "\n".join([header, *lines]) + "\n"


def with_targets(cells):
    """Return the CSV text with these cells, repeated, as targets."""
    header, *lines = csv_text().splitlines()
    lines = [f"{line.rpartition(',')[0]},{cells[i % len(cells)]}" for i, line in enumerate(lines)]
    return "\n".join([header, *lines]) + "\n"


def zip_bytes(**files):
    """Return the bytes of a .zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def parquet_bytes(**columns):
    """Return the table as Parquet bytes, with these columns replaced or added."""
    buffer = io.BytesIO()
    make_frame().assign(**columns).to_parquet(buffer)
    return buffer.getvalue()


CASES = {f"name_{key}": (with_column_name(name), {}) for key, name in NAMES.items()}
CASES |= {f"cells_{key}": (with_cell(cell), {}) for key, cell in CELLS.items()}
CASES |= {f"column_{key}": (with_cell(cell, every_row=True), {}) for key, cell in CELLS.items()}
CASES |= {f"class_{key}": (with_targets([cell, "v", "w"]), {}) for key, cell in CELLS.items() if key != "quote"}
CASES |= {
    "empty": ("", {}),
    "spaces": ("   \n \n", {}),
    "header_alone": ("a,b,y\n", {}),
    "one_row": (csv_text(1), {}),
    "two_rows": (csv_text(2), {}),
    "three_rows": (csv_text(3), {}),
    "nul_bytes": (csv_text().replace("x", "\0"), {}),
    "nul_file": ("\0" * 5000, {}),
    "bom_inside": (csv_text().replace("x", "\ufeff"), {}),
    "two_boms": ("\ufeff\ufeff" + csv_text(), {}),
    "utf16": (csv_text().encode("utf-16"), {}),
    "utf32": (csv_text().encode("utf-32"), {}),
    "utf7": (csv_text().encode("utf-7"), {}),
    "half_utf16": (csv_text().encode("utf-16")[:-1], {}),
    "ebcdic": (csv_text().encode("cp500"), {}),
    "mixed_encodings": (csv_text().encode() + "é,x,u\n".encode() + "é,x,u\n".encode("latin-1"), {}),
    "ragged": (csv_text() + "1,2,u,4\n", {}),
    "short_row": (csv_text() + "1\n", {}),
    "open_quote": (csv_text() + '"1,x,u\n', {}),
    "quotes": ('"' * 1001, {}),
    "delimiters": ("," * 5000 + "\n" + "," * 5000, {}),
    "lines": ("\n" * 5000, {}),
    "carriage": (csv_text(lineterminator="\r"), {}),
    "mixed_lines": (csv_text().replace("\n", "\r\n", 20), {}),
    "two_names": (with_column_name("b"), {}),
    "no_name": (with_column_name(""), {}),
    "target_twice": (with_column_name("y"), {}),
    "wide": (
        ",".join(f"c{i}" for i in range(600))
        + ",y\n"
        + "".join(",".join("1" * 600) + f",{i % 2}\n" for i in range(30)),
        {},
    ),
    "long_line": (csv_text() + "9" * 10_000_000 + ",x,u\n", {}),
    "all_missing": (with_cell("", every_row=True).replace(",x,", ",,"), {}),
    "target_missing": (with_targets([""]), {}),
    "target_alone": ("y\n" + "u\nv\n" * 30, {}),
    "one_class": (with_targets(["u"]), {}),
    "identifiers": (with_targets([f"id{i}" for i in range(60)]), {}),
    "numbers_far": (with_targets(["1e308", "-1e308", "0"]), {}),
    "target_tiny": (with_targets(["1e-320", "0", "2e-320"]), {"task": "regression"}),
    "target_infinite": (with_targets(["inf", "1", "2"]), {"task": "regression"}),
    "binary": (bytes(range(256)) * 40, {}),
    "pickle": (b"\x80\x04\x95cos\nsystem\n(S'id'\ntR.", {}),
    "elf": (b"\x7fELF" + bytes(500), {}),
    "pdf": (b"%PDF-1.7 " + csv_text().encode(), {}),
    "html": ("<!DOCTYPE html><table></table>", {}),
    "xml": ("<?xml version='1.0'?><a/>", {}),
    "excel": (zip_bytes(**{"xl/workbook.xml": "<a/>", "a.xml": ""}), {}),
    "setting_target": (csv_text(), {"target": "../../x"}),
    "setting_empty": (csv_text(), {"target": ""}),
    "setting_delimiter": (csv_text(), {"delimiter": "\0"}),
    "setting_emoji": (csv_text(), {"delimiter": "🦄"}),
    "setting_encoding": (csv_text(), {"encoding": "../utf"}),
    "setting_rot13": (csv_text(), {"encoding": "rot13"}),
    "setting_bytes": (csv_text(), {"encoding": "base64"}),
    "setting_missing": (csv_text(), {"na_values": ["x", "y", "z", "u", "v"]}),
    "setting_time": (csv_text(), {"time_column": "b"}),
    "setting_group": (csv_text(), {"group_column": "y"}),
    "setting_exclude_all": (csv_text(), {"exclude_columns": ["a", "b"]}),
    "setting_positive": (csv_text(), {"positive_class": "<script>"}),
    "setting_number": (csv_text(), {"numeric_columns": ["b"]}),
    "setting_date": (csv_text(), {"date_columns": ["a"]}),
    "setting_fractions": (csv_text(), {"test_fraction": 0.99, "val_fraction": 0.99}),
    "setting_no_test_rows": (csv_text(), {"test_fraction": 0, "val_fraction": 0}),
}
FILES = {
    "t.csv.gz": gzip.compress(csv_text().encode())[:-20],
    "u.csv.gz": b"no gzip",
    "v.csv.bz2": b"BZh9" + bytes(99),
    "w.csv.xz": bytes(99),
    "x.csv.zst": b"\x28\xb5\x2f\xfd" + bytes(99),
    "bomb.csv.gz": gzip.compress(b"a,b,y\n" + b"1,x,u\n" * 300_000),
    "above.csv.zip": zip_bytes(**{"../../above.csv": csv_text()}),
    "rooted.csv.zip": zip_bytes(**{"/tmp/rooted.csv": csv_text()}),
    "two.csv.zip": zip_bytes(a=csv_text(), b=csv_text()),
    "none.csv.zip": zip_bytes(),
    "broken.csv.zip": zip_bytes(a=csv_text())[:-30],
    "link.csv.zip": zip_bytes(**{"a.csv.zip": zip_bytes(a=csv_text())}),
    "t.parquet": b"PAR1" + bytes(50) + b"PAR1",
    "half.parquet": parquet_bytes()[:300],
    "nested.parquet": parquet_bytes(a=[[1]] * 60),
    "bytes.parquet": parquet_bytes(b=[b"\xff\0"] * 60),
    "dates.parquet": parquet_bytes(a=pd.Timestamp("1677-09-22")),
    "t.jsonl": "null\n" * 9,
    "deep.jsonl": "[" * 100_000 + "\n",
    "list.jsonl": "[1, 2]\n" * 9,
    "nan.jsonl": '{"a": NaN, "y": Infinity}\n' * 30,
    "half.jsonl": '{"a": "\\ud800", "y": "u"}\n' * 30,
    "twice.jsonl": '{"a": 1, "a": 2, "y": "u"}\n{"a": 3, "y": "v"}\n' * 15,
    "types.jsonl": '{"a": 1, "y": "u"}\n{"a": "x", "y": 2}\n{"a": true, "y": null}\n{"y": 1.5}\n' * 20,
    "huge.jsonl": '{"a": ' + "9" * 5000 + ', "y": "u"}\n{"a": 1, "y": "v"}\n' * 15,
    "wide.jsonl": "".join(f'{{"c{i}": 1, "y": {i % 2}}}\n' for i in range(300)),
    "t.json": '{"a": 1}',
    "t.xlsx": zip_bytes(a=""),
    "t.pkl": b"\x80\x04N.",
    "t.csv.exe": csv_text(),
    "no_suffix": csv_text(),
    ".csv": csv_text(),
}
