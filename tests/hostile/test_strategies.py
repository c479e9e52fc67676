"""What nobody has thought of: inputs by chance, of which hypothesis shows the smallest that breaks a reader."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

import tfkit
from tests.hostile.judge import line
from tfkit import resume
from tfkit.data import series_ts
from tfkit.data.files import read_frame
from tfkit.errors import UserError

EASY = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,  # a test that fails, fails again
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
cells = some.one_of(
    some.sampled_from(
        ["", "?", "1", "-1e308", "nan", "inf", "2024-02-30", "=1+1", '"', '""', "\0", "\ufeff", "\r", ";"]
    ),
    some.text(max_size=12),
)
rows = some.lists(some.lists(cells, max_size=5), max_size=12)
words = some.one_of(some.none(), some.booleans(), some.integers(), some.floats(), some.text(max_size=20))
values = some.recursive(
    words, lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=9), inner, max_size=3)
)


def read(path, content):
    """A table, or one line."""
    path.write_bytes(content)
    try:
        frame = read_frame(path)
    except UserError as error:
        line(error)
    else:
        assert len(frame.columns) == len({*frame.columns}) > 0
        assert not (frame.astype(object) == "").any().any()


@EASY
@given(content=some.binary(max_size=300), suffix=some.sampled_from([".csv", ".tsv", ".jsonl", ".parquet", ".csv.gz"]))
def test_bytes_are_a_table_or_refused(tmp_path, content, suffix):
    read(tmp_path / f"t{suffix}", content)


@EASY
@given(table=rows, delimiter=some.sampled_from(",;|\t"), end=some.sampled_from(["\n", "\r\n", "\r"]))
def test_text_in_cells_is_a_table_or_refused(tmp_path, table, delimiter, end):
    text = end.join(delimiter.join(row) for row in [["a", "b", "c"], *table])
    read(tmp_path / "t.csv", text.encode("utf-8", "replace"))


@EASY
@given(records=some.lists(values | some.dictionaries(some.text(max_size=9), values, max_size=4), max_size=8))
def test_json_lines_are_a_table_or_refused(tmp_path, records):
    read(tmp_path / "t.jsonl", "\n".join(map(json.dumps, records)).encode())


@EASY
@given(
    lines=some.lists(
        some.sampled_from(["@data", "@classLabel true a b", "@univariate true", "@", "# x", "1,2:a", ":", "?,?:b", ""])
        | some.text(alphabet="@:,?#ab01.e-\t ", max_size=15),
        max_size=12,
    )
)
def test_lines_are_series_or_refused(lines):
    try:
        frame, found, _ = series_ts.read("\n".join(lines), Path("t.ts"), "label")
    except UserError as error:
        line(error)
    else:
        assert len(frame) == len(found) > 0


@EASY
@given(value=values, name=some.sampled_from(sorted(tfkit.load("tabular").Config.model_fields)))
def test_values_are_settings_or_refused(value, name):
    Config = tfkit.load("tabular").Config
    try:
        taken = Config.checked(name, value)
    except UserError as error:
        line(error)
    else:
        written = Config.model_construct(**{name: taken}).model_dump(mode="json", include={name})
        assert Config.checked(name, written[name]) == taken


@EASY
@given(content=some.binary(max_size=300))
def test_bytes_are_no_checkpoint(tmp_path, content):
    path = tmp_path / "000001-000000000000-0123456789abcdef.npz"
    path.write_bytes(content)
    assert resume._read(path) is None


@pytest.mark.long
@settings(EASY, max_examples=2000)
@given(table=rows, delimiter=some.sampled_from(",;|\t"))
def test_many_more_tables(tmp_path, table, delimiter):
    read(tmp_path / "t.csv", "\n".join(delimiter.join(row) for row in table).encode("utf-8", "replace"))
