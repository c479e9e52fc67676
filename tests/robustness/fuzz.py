"""Coverage-guided fuzzing of the table reader; not part of any test run.

    make fuzz                                              ten minutes
    python tests/robustness/fuzz.py [-max_total_time=600]     with atheris installed; options of libFuzzer

The first byte selects the file suffix, the other bytes are the file content. The table is then loaded and its schema
is fitted. Any result other than a table or a `UserError` with a message of one line is a failure.
"""

import logging
import sys
import tempfile
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tfkit.data"]):
    from tfkit.data import tabular
    from tfkit.data.files import read
from tfkit.errors import UserError

SUFFIXES = [".csv", ".tsv", ".txt", ".jsonl", ".csv.gz", ".zip", ".parquet", ".csv"]
SEEDS = [
    b"\0age,word,y\n1,a,0\n2,b,1\n,c,0\n1.5,,1\n",
    b'\0"a;b";"c\n";y\r\n"1,5";"""";0\r\n2;x;1\r\n',
    b"\1day\tprice\ty\n2024-01-31\t$1,234.5\tno\n31.12.2024\t(7)\tyes\n",
    b'\3{"a": 1, "b": [1, {"c": null}]}\n{"a": "x", "b": 1e999}\n',
    b"\0name,born,size,note,y\n"
    + b"".join(b"n%d,2001-0%d-1%d,%d.5,free text %d,%d\n" % (i, i % 9 + 1, i % 9, i, i * i, i % 2) for i in range(24)),
    "\2größe|größe|\n1|2|3\n?|NA|-99\n".encode("utf-16"),
]


def fuzz_table(input_bytes: bytes) -> None:
    """Read bytes as a table and fit its schema; allow only a one-line UserError."""
    if not input_bytes:
        return
    path = FOLDER / f"t{SUFFIXES[input_bytes[0] % len(SUFFIXES)]}"
    path.write_bytes(input_bytes[1:])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            table = read.read_frame(path)
            assert len(table.columns) == len({*table.columns}) > 0
            name = table.columns[-1]
            table, _, _ = tabular.load(path, name)
            tabular.fit_schema(table, tabular.infer_target(table[name]))
    except UserError as error:
        if "\n" in str(error):
            raise AssertionError("the error message has more than one line") from error


if __name__ == "__main__":
    logging.disable()
    with tempfile.TemporaryDirectory() as folder:
        FOLDER, corpus = Path(folder), Path(folder) / "corpus"
        corpus.mkdir()
        for index, seed in enumerate(SEEDS):
            (corpus / str(index)).write_bytes(seed)
        atheris.Setup(
            [*sys.argv[:1], "-max_len=4096", "-len_control=10", "-timeout=60", *sys.argv[1:], str(corpus)], fuzz_table
        )
        atheris.Fuzz()
