"""Tables that nobody wants, by name: what the file holds, and settings beside `table` and `target`."""

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


def frame(rows=60):
    """A number, a category and two classes."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=rows).round(3)
    return pd.DataFrame({"a": a, "b": rng.choice(list("xyz"), rows), "y": np.where(a > 0, "u", "v")})


def text(rows=60, **options):
    return frame(rows).to_csv(index=False, **options)


def named(name):
    """The table with another name of its first column."""
    return text().replace("a,b,y", f"{name},b,y", 1)


def celled(cell, every=False):
    """The table with this cell in its number column, here and there or everywhere."""
    head, *lines = text().splitlines()
    lines = [f"{cell},{line.partition(',')[2]}" if every or not i % 7 else line for i, line in enumerate(lines)]
    return "\n".join([head, *lines]) + "\n"


def targeted(cells):
    """The table with these targets, again and again."""
    head, *lines = text().splitlines()
    lines = [f"{line.rpartition(',')[0]},{cells[i % len(cells)]}" for i, line in enumerate(lines)]
    return "\n".join([head, *lines]) + "\n"


def zipped(**files):
    """A .zip of these."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def parquet(**columns):
    out = io.BytesIO()
    frame().assign(**columns).to_parquet(out)
    return out.getvalue()


CASES = {f"named_{key}": (named(name), {}) for key, name in NAMES.items()}
CASES |= {f"some_{key}": (celled(cell), {}) for key, cell in CELLS.items()}
CASES |= {f"every_{key}": (celled(cell, every=True), {}) for key, cell in CELLS.items()}
CASES |= {f"class_{key}": (targeted([cell, "v", "w"]), {}) for key, cell in CELLS.items() if key != "quote"}
CASES |= {
    "empty": ("", {}),
    "spaces": ("   \n \n", {}),
    "header_alone": ("a,b,y\n", {}),
    "one_row": (text(1), {}),
    "two_rows": (text(2), {}),
    "three_rows": (text(3), {}),
    "nul_bytes": (text().replace("x", "\0"), {}),
    "nul_file": ("\0" * 5000, {}),
    "bom_inside": (text().replace("x", "\ufeff"), {}),
    "two_boms": ("\ufeff\ufeff" + text(), {}),
    "utf16": (text().encode("utf-16"), {}),
    "utf32": (text().encode("utf-32"), {}),
    "utf7": (text().encode("utf-7"), {}),
    "half_utf16": (text().encode("utf-16")[:-1], {}),
    "ebcdic": (text().encode("cp500"), {}),
    "mixed_encodings": (text().encode() + "é,x,u\n".encode() + "é,x,u\n".encode("latin-1"), {}),
    "ragged": (text() + "1,2,u,4\n", {}),
    "short_row": (text() + "1\n", {}),
    "open_quote": (text() + '"1,x,u\n', {}),
    "quotes": ('"' * 1001, {}),
    "delimiters": ("," * 5000 + "\n" + "," * 5000, {}),
    "lines": ("\n" * 5000, {}),
    "carriage": (text(lineterminator="\r"), {}),
    "mixed_lines": (text().replace("\n", "\r\n", 20), {}),
    "two_names": (named("b"), {}),
    "no_name": (named(""), {}),
    "target_twice": (named("y"), {}),
    "wide": (
        ",".join(f"c{i}" for i in range(600))
        + ",y\n"
        + "".join(",".join("1" * 600) + f",{i % 2}\n" for i in range(30)),
        {},
    ),
    "long_line": (text() + "9" * 10_000_000 + ",x,u\n", {}),
    "all_missing": (celled("", every=True).replace(",x,", ",,"), {}),
    "target_missing": (targeted([""]), {}),
    "target_alone": ("y\n" + "u\nv\n" * 30, {}),
    "one_class": (targeted(["u"]), {}),
    "identifiers": (targeted([f"id{i}" for i in range(60)]), {}),
    "numbers_far": (targeted(["1e308", "-1e308", "0"]), {}),
    "target_tiny": (targeted(["1e-320", "0", "2e-320"]), {"kind": "number"}),
    "target_infinite": (targeted(["inf", "1", "2"]), {"kind": "number"}),
    "binary": (bytes(range(256)) * 40, {}),
    "pickle": (b"\x80\x04\x95cos\nsystem\n(S'id'\ntR.", {}),
    "elf": (b"\x7fELF" + bytes(500), {}),
    "pdf": (b"%PDF-1.7 " + text().encode(), {}),
    "html": ("<!DOCTYPE html><table></table>", {}),
    "xml": ("<?xml version='1.0'?><a/>", {}),
    "excel": (zipped(**{"xl/workbook.xml": "<a/>", "a.xml": ""}), {}),
    "told_target": (text(), {"target": "../../x"}),
    "told_empty": (text(), {"target": ""}),
    "told_delimiter": (text(), {"delimiter": "\0"}),
    "told_emoji": (text(), {"delimiter": "🦄"}),
    "told_encoding": (text(), {"encoding": "../utf"}),
    "told_rot13": (text(), {"encoding": "rot13"}),
    "told_bytes": (text(), {"encoding": "base64"}),
    "told_missing": (text(), {"missing": ["x", "y", "z", "u", "v"]}),
    "told_time": (text(), {"time_column": "b"}),
    "told_group": (text(), {"group_column": "y"}),
    "told_left_out": (text(), {"leave_out": ["a", "b"]}),
    "told_positive": (text(), {"positive": "<script>"}),
    "told_number": (text(), {"number": ["b"]}),
    "told_date": (text(), {"date": ["a"]}),
    "told_fractions": (text(), {"test_fraction": 0.99, "val_fraction": 0.99}),
    "told_nothing": (text(), {"test_fraction": 0, "val_fraction": 0}),
}
FILES = {
    "t.csv.gz": gzip.compress(text().encode())[:-20],
    "u.csv.gz": b"no gzip",
    "v.csv.bz2": b"BZh9" + bytes(99),
    "w.csv.xz": bytes(99),
    "x.csv.zst": b"\x28\xb5\x2f\xfd" + bytes(99),
    "bomb.csv.gz": gzip.compress(b"a,b,y\n" + b"1,x,u\n" * 300_000),
    "above.csv.zip": zipped(**{"../../above.csv": text()}),
    "rooted.csv.zip": zipped(**{"/tmp/rooted.csv": text()}),
    "two.csv.zip": zipped(a=text(), b=text()),
    "none.csv.zip": zipped(),
    "broken.csv.zip": zipped(a=text())[:-30],
    "link.csv.zip": zipped(**{"a.csv.zip": zipped(a=text())}),
    "t.parquet": b"PAR1" + bytes(50) + b"PAR1",
    "half.parquet": parquet()[:300],
    "nested.parquet": parquet(a=[[1]] * 60),
    "bytes.parquet": parquet(b=[b"\xff\0"] * 60),
    "dates.parquet": parquet(a=pd.Timestamp("1677-09-22")),
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
    "t.xlsx": zipped(a=""),
    "t.pkl": b"\x80\x04N.",
    "t.csv.exe": text(),
    "no_suffix": text(),
    ".csv": text(),
}
