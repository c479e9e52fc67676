"""Formats of other systems: Arrow, ORC, JSON documents, Excel, SQLite, ARFF, TSF, NumPy, tar archives."""

import contextlib
import io
import json
import shutil
import sqlite3
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import feather, ipc, orc

from tfkit.data import forecasting
from tfkit.data.columns.names import require_columns
from tfkit.data.files.read import read_frame, read_messages
from tfkit.errors import UserError

FRAME = pd.DataFrame({"age": [39, 50, 7], "pay": [1.5, None, 3.0], "job": ["a b", None, "c,d"]})
CELLS = {"age": [39, 50, 7], "pay": [1.5, None, 3.0], "job": ["a b", None, "c,d"]}
RECORDS = [dict(zip(CELLS, row, strict=True)) for row in zip(*CELLS.values(), strict=True)]
TABLE = pa.Table.from_pandas(FRAME, preserve_index=False)


def write_stream(path):
    with ipc.new_stream(str(path), TABLE.schema) as writer:
        writer.write_table(TABLE)


WRITERS = {
    "a.feather": lambda path: feather.write_feather(FRAME, str(path)),
    "lz4.feather": lambda path: feather.write_feather(TABLE, str(path), compression="lz4"),
    "file.arrow": lambda path: feather.write_feather(TABLE, str(path), compression="uncompressed"),
    "stream.arrow": write_stream,
    "stream.ipc": write_stream,
    "a.orc": lambda path: orc.write_table(TABLE, str(path)),
    "array.json": lambda path: path.write_text(json.dumps(RECORDS)),
    "indented.json": lambda path: path.write_text(json.dumps(RECORDS, indent=2)),
    "array.jsonl": lambda path: path.write_text(json.dumps(RECORDS)),
    "lines.json": lambda path: path.write_text("\n".join(map(json.dumps, RECORDS))),
    "columns.json": lambda path: path.write_text(json.dumps(CELLS)),
    "frame.json": lambda path: FRAME.to_json(path),
    "wrapped.json": lambda path: path.write_text(json.dumps({"count": 3, "data": RECORDS})),
    "a.json.gz": lambda path: pd.DataFrame(RECORDS).to_json(path, orient="records"),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.reading("Formats of files", "read")
def test_typed_formats(tmp_path, name, columns):
    WRITERS[name](tmp_path / name)
    frame = read_frame(tmp_path / name)
    assert columns(frame) == CELLS
    expected = ["rows are those of 'data'; not used: count"] if name == "wrapped.json" else []
    assert read_messages(frame) == expected


@pytest.mark.reading("Formats of files", "read")
def test_one_object_is_one_row(file, columns):
    assert columns(read_frame(file('{"age": 39, "job": "x"}', "a.json"))) == {"age": [39], "job": ["x"]}


@pytest.mark.parametrize("name", ["a.feather", "a.arrow", "a.orc", "a.npy", "a.npz", "a.xlsx", "a.db"])
@pytest.mark.reading("Formats of files", "refused")
def test_damaged_files(file, assert_refused, name):
    if name == "a.xlsx":
        pytest.importorskip("python_calamine")
    assert_refused(file(b"ARROW1 damaged" if "arrow" in name else b"damaged", name), "must be complete")


def test_arrow_files_of_a_folder(tmp_path):
    for number in range(3):
        (tmp_path / f"n={number}").mkdir()
        feather.write_feather(FRAME, str(tmp_path / f"n={number}" / "a.feather"))
    (tmp_path / "about.json").write_text("{}")
    assert read_frame(tmp_path)["n"].tolist() == list("000111222")


def write_sqlite(path, tables):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for name in tables:
            FRAME.to_sql(name, connection, index=False)
        connection.commit()


@pytest.mark.parametrize("table", ["people", "with space", 'quote"d', "select"])
@pytest.mark.reading("Formats of files", "read")
def test_table_of_sqlite(tmp_path, columns, table, monkeypatch):
    write_sqlite(tmp_path / "a.db", [table, "another"])
    monkeypatch.chdir(tmp_path)
    for address in (f"sqlite:///a.db?table={table}", f"sqlite:///{tmp_path}/a.db?table={table}"):
        assert columns(read_frame(address)) == CELLS
        assert columns(read_frame(Path(address))) == CELLS


def test_sqlite_with_one_table(tmp_path, columns):
    write_sqlite(tmp_path / "a.sqlite3", ["people"])
    assert columns(read_frame(tmp_path / "a.sqlite3")) == CELLS
    assert columns(read_frame(f"sqlite:///{tmp_path / 'a.sqlite3'}")) == CELLS


@pytest.mark.reading("Formats of files", "refused")
def test_sqlite_errors(tmp_path, assert_refused):
    write_sqlite(tmp_path / "a.db", ["people", "places"])
    assert_refused(tmp_path / "a.db", "Name a table", "'people', 'places'", "?table=NAME")
    assert_refused(f"sqlite:///{tmp_path}/a.db?table=peple", "Did you mean 'people'?")
    assert_refused(f"sqlite:///{tmp_path}/b.db?table=people", "must exist", "Did you mean 'a.db'?")
    (tmp_path / "c.db").write_bytes(b"SQLite format 3\0" + b"x" * 200)
    assert_refused(tmp_path / "c.db", "must be complete")


CELL = '<c r="{}" t="inlineStr"><is><t>{}</t></is></c>'
SHEET = (
    '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{}</sheetData></worksheet>'
)
TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def write_spreadsheet(path, sheets):
    """Write the least .xlsx file: sheets as name -> rows of strings or numbers."""
    names = list(sheets)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            "[Content_Types].xml", '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>'
        )
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{RELATIONS}"><Relationship Id="r1" Type="{OFFICE}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        entries = "".join(f'<sheet name="{name}" sheetId="{i}" r:id="r{i}"/>' for i, name in enumerate(names, 1))
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="{OFFICE}">'
            f"<sheets>{entries}</sheets></workbook>",
        )
        relations = "".join(
            f'<Relationship Id="r{i}" Type="{OFFICE}/worksheet" Target="worksheets/sheet{i}.xml"/>'
            for i in range(1, len(names) + 1)
        )
        relations = f'<Relationships xmlns="{RELATIONS}">{relations}</Relationships>'
        archive.writestr("xl/_rels/workbook.xml.rels", relations)
        for i, rows in enumerate(sheets.values(), 1):
            lines = []
            for row, cells in enumerate(rows, 1):
                marks = [(f"{'ABCDEFG'[column]}{row}", cell) for column, cell in enumerate(cells) if cell is not None]
                line = "".join(
                    CELL.format(mark, cell) if isinstance(cell, str) else f'<c r="{mark}"><v>{cell}</v></c>'
                    for mark, cell in marks
                )
                lines.append(f'<row r="{row}">{line}</row>')
            archive.writestr(f"xl/worksheets/sheet{i}.xml", SHEET.format("".join(lines)))


@pytest.mark.reading("Formats of files", "read")
def test_spreadsheet(tmp_path, columns):
    pytest.importorskip("python_calamine")
    rows = [["age", "pay", "job"], [39, 1.5, "a b"], [50, None, None], [7, 3, "c,d"]]
    write_spreadsheet(tmp_path / "a.xlsx", {"cover": [], "people": rows, "notes": [["x"], ["y"]]})
    frame = read_frame(tmp_path / "a.xlsx")
    assert columns(frame) == CELLS
    path = tmp_path / "a.xlsx"
    assert read_messages(frame) == [
        f"sheet 'people' is read; not used: 'cover', 'notes'; choose one with '{path}?notes'"
    ]
    frame = read_frame(f"{path}?notes")
    assert (frame["x"].tolist(), read_messages(frame)) == (["y"], ["sheet 'notes' is read"])
    with pytest.raises(
        UserError, match=r"Did you mean 'people'\? Received: .*\?peple; it has 'cover', 'people', 'notes'"
    ):
        read_frame(f"{path}?peple")
    with pytest.raises(UserError, match="this spreadsheet is empty"):
        read_frame(f"{path}?cover")
    with pytest.raises(UserError, match=r"must have the column 'x'.*choose one with '.*\?notes'"):
        require_columns(read_frame(path), ["x"])
    write_spreadsheet(tmp_path / "b.xlsx", {"empty": []})
    with pytest.raises(UserError, match="this spreadsheet is empty"):
        read_frame(tmp_path / "b.xlsx")


@pytest.mark.parametrize("name", ["a.zip", "a.tar.gz", "mark?.zip"])
@pytest.mark.reading("Formats of files", "read")
def test_one_file_of_an_archive(tmp_path, name):
    folder, path = tmp_path / "files", tmp_path / name
    (folder / "sub").mkdir(parents=True)
    (folder / "train.csv").write_text("x,y\n1,a\n2,b\n")
    (folder / "sub" / "test.csv").write_text("x\n3\n")
    shutil.make_archive(
        str(path).removesuffix(".zip").removesuffix(".tar.gz"), "zip" if name[-1] == "p" else "gztar", folder
    )
    assert read_frame(f"{path}?train.csv")["y"].tolist() == ["a", "b"]
    assert read_frame(f"{path}?sub/test.csv")["x"].tolist() == ["3"]
    with pytest.raises(UserError, match=r"Did you mean 'sub/test.csv'\?.*it has 'sub/test.csv', 'train.csv'"):
        read_frame(f"{path}?test.csv")
    with pytest.raises(UserError, match="must be a file in the archive"):
        read_frame(f"{path}?../secret.csv")


@pytest.mark.reading("Formats of files", "refused")
def test_parts_of_other_files_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("x\n1\n")
    with pytest.raises(UserError, match="A part of a file is a sheet of a spreadsheet, or a file of an archive"):
        read_frame(tmp_path / "a.csv?x")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.csv", "x\n1\n")
        archive.writestr("b.csv", "x\n1\n")
    with pytest.raises(UserError, match=r"choose one of them with '.*a\.zip\?a\.csv'"):
        read_frame(tmp_path / "a.zip")


def test_spreadsheet_without_the_extra_names_it(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "python_calamine", None)
    write_spreadsheet(tmp_path / "a.xlsx", {"people": [["a"], ["b"]]})
    with pytest.raises(UserError, match=r'pip install "keras-recipes\[excel\]"'):
        read_frame(tmp_path / "a.xlsx")


ARFF = """% about
@RELATION people
@attribute age NUMERIC
@attribute 'the job' {'a b', "c,d", e}
@attribute note string
@attribute day date "yyyy-MM-dd"

@data
39,'a b','it\\'s',2020-01-02
% comment
50,?,"said no",?
7,"c,d",plain,2021-01-02
"""


@pytest.mark.reading("Formats of files", "read")
def test_arff(file, columns):
    assert columns(read_frame(file(ARFF, "a.arff"))) == {
        "age": ["39", "50", "7"],
        "the job": ["a b", None, "c,d"],
        "note": ["it's", "said no", "plain"],
        "day": ["2020-01-02", None, "2021-01-02"],
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (ARFF + "{0 3}\n", "must not be sparse"),
        (ARFF + "1,2\n", "2 cells in line 13, 4 attributes"),
        ("age,job\n1,2\n", "must begin with lines"),
        ("@relation x\n@data\n", "0 attributes and 0 rows"),
    ],
)
@pytest.mark.reading("Formats of files", "refused")
def test_arff_errors(file, assert_refused, content, message):
    assert_refused(file(content, "a.arff"), message)


def tsf(frequency, start="2020-01-31 00-00-00", attributes=("series_name string", "start_timestamp date")):
    header = "\n".join(f"@attribute {attribute}" for attribute in attributes)
    steps = ",".join(str(100 + step % 7) for step in range(60))
    start_lines = f"# a\n@relation x\n{header}\n@frequency {frequency}\n@missing true\n@data\n"
    return f"{start_lines}T1:{start}:{steps}\nT2:{start}:?,{steps}\n"


@pytest.mark.parametrize(
    ("frequency", "second"),
    [
        ("monthly", "2020-02-29"),
        ("daily", "2020-02-01"),
        ("weekly", "2020-02-07"),
        ("quarterly", "2020-04-30"),
        ("yearly", "2021-01-31"),
        ("hourly", "2020-01-31 01:00"),
        ("half_hourly", "2020-01-31 00:30"),
    ],
)
@pytest.mark.reading("Formats of files", "read")
def test_series_of_a_tsf_file_are_columns(file, frequency, second):
    path = file(tsf(frequency), "a.tsf")
    frame = read_frame(path)
    assert list(frame) == ["time", "T1", "T2"]
    assert frame["time"][1] == pd.Timestamp(second)
    assert frame["T1"].notna().sum() == frame["T2"].notna().sum() == 60
    assert read_messages(frame) == ["each series is a column: 2 series of 61 steps"]


def test_tsf_can_be_forecast(file):
    grid, rules = forecasting.load(file(tsf("monthly"), "a.tsf"))
    assert list(rules.target_columns) == ["T1", "T2"]
    assert len(np.unique(grid.time_index)) == 61


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (tsf("fortnightly"), "The @frequency of a .tsf file must be one of"),
        (tsf("daily", "yesterday"), "must be numbers"),
        (tsf("daily").replace("T2", "T1"), "more than one 'T1'"),
        (tsf("daily").replace("T2:", ""), "1 in line 9, 2 attributes"),
        (tsf("daily").partition("@data")[0], "must have a line @data"),
    ],
)
@pytest.mark.reading("Formats of files", "refused")
def test_tsf_errors(file, assert_refused, content, message):
    assert_refused(file(content, "a.tsf"), message)


@pytest.mark.reading("Formats of files", "read")
def test_numpy(tmp_path, columns):
    matrix = np.arange(6.0).reshape(3, 2)
    np.save(tmp_path / "a.npy", matrix)
    assert columns(read_frame(tmp_path / "a.npy")) == {"column_1": [0, 2, 4], "column_2": [1, 3, 5]}
    np.save(tmp_path / "b.npy", np.array([(1, "x"), (2, "y")], [("age", "i4"), ("job", "U3")]))
    assert columns(read_frame(tmp_path / "b.npy")) == {"age": [1, 2], "job": ["x", "y"]}
    np.savez(tmp_path / "c.npz", x=matrix, y=np.array(["a", "b", "c"]), z=np.array([b"u", b"v", b"w"]))
    assert columns(read_frame(tmp_path / "c.npz")) == {
        "x_1": [0, 2, 4],
        "x_2": [1, 3, 5],
        "y": ["a", "b", "c"],
        "z": ["u", "v", "w"],
    }


@pytest.mark.reading("Formats of files", "refused")
def test_numpy_errors(tmp_path, assert_refused):
    np.save(tmp_path / "a.npy", np.array([{}], object))
    assert_refused(tmp_path / "a.npy", "without Python objects")
    np.save(tmp_path / "b.npy", np.zeros((2, 2, 2)))
    assert_refused(tmp_path / "b.npy", "one or two axes", "(2, 2, 2)")
    np.savez(tmp_path / "c.npz", x=np.zeros(2), y=np.zeros(3))
    assert_refused(tmp_path / "c.npz", "the same number of rows", "x (2,), y (3,)")


@pytest.mark.parametrize(("suffix", "mode"), [(".tar", "w"), (".tar.gz", "w:gz"), (".tgz", "w:gz"), (".txz", "w:xz")])
@pytest.mark.reading("Formats of files", "read")
def test_tables_of_a_tar_archive(tmp_path, suffix, mode):
    with tarfile.open(tmp_path / f"a{suffix}", mode) as archive:
        for name in ("year=1/a.csv", "year=2/b.csv"):
            content = b"x,y\n1,2\n"
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    assert read_frame(tmp_path / f"a{suffix}")["year"].tolist() == ["1", "2"]


def test_archive_with_paths_outside_of_it(tmp_path, assert_refused):
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        archive.addfile(tarfile.TarInfo("../../escape.csv"))
    assert_refused(tmp_path / "a.tar", "An archive must be complete")
