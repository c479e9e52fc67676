"""Reading and writing .json files."""

import gzip
import json

import pandas as pd
import pytest

from tfkit.data.files.read import read_frame
from tfkit.data.files.write import open_table_writer, write_frame
from tfkit.errors import UserError

FRAME = pd.DataFrame({"id": ["0001", "0002", "0003"], "x": [1.5, None, 3.0], "ok": [True, False, True]})


@pytest.mark.parametrize(
    "orient", ["records", "columns", "split", "index_of_rows", "list", "data", "instances", "lines"]
)
@pytest.mark.reading("Formats of files", "read")
def test_every_form_reads_the_same(orient, tmp_path):
    rows = json.loads(FRAME.to_json(orient="records"))
    text = {
        "records": lambda: FRAME.to_json(orient="records", indent=2),
        "columns": lambda: FRAME.to_json(),
        "split": lambda: FRAME.to_json(orient="split"),
        "index_of_rows": lambda: FRAME.to_json(orient="table", index=False),
        "list": lambda: json.dumps({name: [row[name] for row in rows] for name in FRAME}),
        "data": lambda: json.dumps({"data": rows, "page": 1}),
        "instances": lambda: json.dumps({"instances": rows}),
        "lines": lambda: FRAME.to_json(orient="records", lines=True),
    }[orient]()
    path = tmp_path / "rows.json"
    path.write_text(text)
    frame = read_frame(path)
    assert frame["id"].tolist() == FRAME["id"].tolist()
    assert frame["x"].isna().tolist() == [False, True, False]
    assert frame.attrs["file"]["kind"] == "json"


def test_one_object_is_one_row_and_long_integers_keep_their_digits(tmp_path):
    (tmp_path / "row.json").write_text('{"id": 12345678901234567891, "city": "Oslo", "gap": null}')
    frame = read_frame(tmp_path / "row.json")
    assert [str(cell) for cell in frame.iloc[0]][:2] == ["12345678901234567891", "Oslo"]


@pytest.mark.parametrize("name", ["rows.json", "rows.json.gz", "ROWS.JSON"])
def test_written_file_is_read_again(name, tmp_path):
    with open_table_writer(tmp_path / name) as write:
        write(FRAME.iloc[:2])
        write(FRAME.iloc[2:])
    pd.testing.assert_frame_equal(read_frame(tmp_path / name), FRAME, check_dtype=False)
    content = (tmp_path / name).read_bytes()
    assert len(json.loads(gzip.decompress(content) if name.endswith("gz") else content)) == 3


def test_folder_of_tables_ignores_notes_next_to_them(tmp_path):
    write_frame(FRAME, tmp_path / "a.csv")
    (tmp_path / "info.json").write_text('{"source": "x"}')
    assert len(read_frame(tmp_path)) == 3
    (tmp_path / "a.csv").unlink()
    assert list(read_frame(tmp_path)) == ["source"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"a": 1}', "must be complete and JSON"),
        ("[1, 2]", "must be an array of flat objects. .*int at position 0"),
        ('"text"', "must be an array of flat objects. Received: str"),
        ('[{"a": {"b": 1}}]', "flatten nested values first. Received: a dict under 'a' at position 0"),
        ('{"columns": ["a"], "data": [[1, 2]]}', "Each row must have a value for each column"),
        ("[]", "must be an array of flat objects. Received: an empty document"),
        ("3", "must be an array of flat objects. Received: int"),
        ('[{"a": "\\ud800"}]', "must be valid Unicode"),
        ("[" * 100_000, "must be complete and JSON"),
    ],
)
@pytest.mark.reading("Formats of files", "refused")
def test_other_json_is_refused_in_one_line(content, message, tmp_path):
    (tmp_path / "rows.json").write_text(content)
    with pytest.raises(UserError, match=message) as error:
        read_frame(tmp_path / "rows.json")
    assert "\n" not in str(error.value)
