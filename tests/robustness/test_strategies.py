"""Property-based tests of the readers: random inputs, reduced to the smallest failing one by hypothesis."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tfkit
from tests.robustness.expectations import check_message
from tfkit.data.files.read import read_frame
from tfkit.data.series import ts_format
from tfkit.errors import UserError
from tfkit.training import checkpoint

FAST_SETTINGS = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,  # the same examples in every run
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
cells = st.one_of(
    st.sampled_from(["", "?", "1", "-1e308", "nan", "inf", "2024-02-30", "=1+1", '"', '""', "\0", "\ufeff", "\r", ";"]),
    st.text(max_size=12),
)
rows = st.lists(st.lists(cells, max_size=5), max_size=12)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20))
values = st.recursive(
    scalars,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=9), children, max_size=3),
)


def check_read(path, content):
    """Read bytes as a table; allow only a one-line UserError."""
    path.write_bytes(content)
    try:
        frame = read_frame(path)
    except UserError as error:
        check_message(error)
    else:
        assert len(frame.columns) == len({*frame.columns}) > 0
        assert not (frame.astype(object) == "").any().any()


@FAST_SETTINGS
@given(content=st.binary(max_size=300), suffix=st.sampled_from([".csv", ".tsv", ".jsonl", ".parquet", ".csv.gz"]))
def test_bytes_are_a_table_or_raise(tmp_path, content, suffix):
    check_read(tmp_path / f"t{suffix}", content)


@FAST_SETTINGS
@given(table=rows, delimiter=st.sampled_from(",;|\t"), line_end=st.sampled_from(["\n", "\r\n", "\r"]))
def test_text_in_cells_is_a_table_or_raises(tmp_path, table, delimiter, line_end):
    text = line_end.join(delimiter.join(row) for row in [["a", "b", "c"], *table])
    check_read(tmp_path / "t.csv", text.encode("utf-8", "replace"))


@FAST_SETTINGS
@given(records=st.lists(values | st.dictionaries(st.text(max_size=9), values, max_size=4), max_size=8))
def test_json_lines_are_a_table_or_raise(tmp_path, records):
    check_read(tmp_path / "t.jsonl", "\n".join(map(json.dumps, records)).encode())


@FAST_SETTINGS
@given(
    lines=st.lists(
        st.sampled_from(["@data", "@classLabel true a b", "@univariate true", "@", "# x", "1,2:a", ":", "?,?:b", ""])
        | st.text(alphabet="@:,?#ab01.e-\t ", max_size=15),
        max_size=12,
    )
)
def test_lines_are_series_or_raise(lines):
    try:
        frame, labels, _ = ts_format.read("\n".join(lines), Path("t.ts"), "label")
    except UserError as error:
        check_message(error)
    else:
        assert len(frame) == len(labels) > 0


@FAST_SETTINGS
@given(value=values, name=st.sampled_from(sorted(tfkit.load_recipe("tabular").Config.model_fields)))
def test_values_are_settings_or_raise(value, name):
    Config = tfkit.load_recipe("tabular").Config
    try:
        validated = Config.validate_setting(name, value)
    except UserError as error:
        check_message(error)
    else:
        dumped = Config.model_construct(**{name: validated}).model_dump(mode="json", include={name})
        assert Config.validate_setting(name, dumped[name]) == validated


@FAST_SETTINGS
@given(content=st.binary(max_size=300))
def test_random_bytes_are_not_a_checkpoint(tmp_path, content):
    path = tmp_path / "000001-000000000000-0123456789abcdef.npz"
    path.write_bytes(content)
    assert checkpoint._read(path) is None


@pytest.mark.long
@settings(FAST_SETTINGS, max_examples=2000)
@given(table=rows, delimiter=st.sampled_from(",;|\t"))
def test_text_in_cells_with_more_examples(tmp_path, table, delimiter):
    check_read(tmp_path / "t.csv", "\n".join(delimiter.join(row) for row in table).encode("utf-8", "replace"))
