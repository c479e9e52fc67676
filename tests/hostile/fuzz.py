"""Fuzz the table reader, guided by what parts of it the bytes reach; not part of any test run.

    make fuzz                                              ten minutes
    python tests/hostile/fuzz.py [-max_total_time=600]     with atheris installed; options of libFuzzer

The first byte chooses the kind of file, the rest is the file. What is read goes on through everything that learns from
a table before a network sees it. Anything but a table or one line is a finding.
"""

import logging
import sys
import tempfile
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["tfkit.data"]):
    from tfkit.data import files
    from tfkit.data.learning import learn_table
    from tfkit.data.tables import load_table
    from tfkit.data.targets import learn_target
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


def one(data: bytes) -> None:
    """A table, or one line."""
    if not data:
        return
    path = FOLDER / f"t{SUFFIXES[data[0] % len(SUFFIXES)]}"
    path.write_bytes(data[1:])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            frame = files.read_frame(path)
            assert len(frame.columns) == len({*frame.columns}) > 0
            name = frame.columns[-1]
            frame, _, _ = load_table(path, name)
            learn_table(frame, learn_target(frame[name]), kinds={})
    except UserError as error:
        if "\n" in str(error):
            raise AssertionError("more than one line") from error


if __name__ == "__main__":
    logging.disable()
    with tempfile.TemporaryDirectory() as folder:
        FOLDER, corpus = Path(folder), Path(folder) / "corpus"
        corpus.mkdir()
        for number, seed in enumerate(SEEDS):
            (corpus / str(number)).write_bytes(seed)
        atheris.Setup(
            [*sys.argv[:1], "-max_len=4096", "-len_control=10", "-timeout=60", *sys.argv[1:], str(corpus)], one
        )
        atheris.Fuzz()
