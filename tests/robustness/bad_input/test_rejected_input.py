"""Invalid input gives one line and exit code 2, and leaves no partial files."""

import builtins
import errno
import io
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.robustness.bad_input.conftest import ROWS, table, write_rows

# Tables that cannot be read


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nothing.csv", None, "a folder that exists. Received: data=nothing.csv"),
        ("folder", "mkdir", "A table must be a file, or a folder with files of .csv .txt .tsv .jsonl .ndjson .parquet"),
        ("empty.csv", b"", "this file is empty. Received: empty.csv"),
        ("header.csv", b"a,b,y\n", "A table needs rows below its header. Received: header.csv, 3 names and no rows"),
        ("image.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image.csv"),
        ("ragged.csv", b"a,b,y\n1,2,u\n1,2,3,v\n", "Received: ragged.csv, 4 cells in line 3, 3 in the header"),
        ("twice.csv", b"a,a,y\n1,2,u\n2,3,v\n", "Column names must differ; rename one. Received: twice.csv"),
        ("caret.csv", b"a^b^y\n1^2^u\n3^4^v\n", "If it has more than one column, give delimiter=. Received: 'a^b^y'"),
        ("nested.jsonl", b'{"a": [[1]], "y": "u"}\n', "flatten nested values first. Received: nested.jsonl"),
        (
            "lists.jsonl",
            b'{"a": [1], "y": "u"}\n',
            "flatten nested values first. Received: several values in a cell of 'a'",
        ),
        ("table.xyz", b"a,y\n1,u\n", "The suffix of a table file must be one of"),
    ],
)
def test_file_that_is_not_a_table(assert_rejected, name, content, message):
    if content == "mkdir":
        Path(name).mkdir()
    elif content is not None:
        Path(name).write_bytes(content)
    assert_rejected("train", "tabular", f"data={name}", "target=y", message=message)


def test_wrong_delimiter_or_encoding(assert_rejected):
    table().to_csv("table.csv", index=False)
    assert_rejected("train", "tabular", "data=table.csv", "target=y", "delimiter=;", message="Received: ")
    assert_rejected(
        "train",
        "tabular",
        "data=table.csv",
        "target=y",
        "delimiter=ab",
        message="`delimiter` must be one ASCII character",
    )
    assert_rejected(
        "train", "tabular", "data=table.csv", "target=y", "encoding=foo", message="`encoding` must be an encoding"
    )


def test_nested_cells_of_parquet(assert_rejected):
    pd.DataFrame({"a": [[1], [2]] * 10, "y": ["u", "v"] * 10}).to_parquet("table.parquet")
    assert_rejected("train", "tabular", "data=table.parquet", "target=y", message="several values in a cell of 'a'")


# Targets and settings that do not fit the table


FLOATS = np.random.default_rng(1).normal(size=ROWS).round(3)


@pytest.mark.parametrize(
    ("columns", "settings", "message"),
    [
        ({}, "target=yy", "The table must have the column 'yy'. Did you mean 'y'? Received: 'a', 'b', 'y'"),
        ({}, "", "`data=` replaces the sample, so `target=` must be given too"),
        (
            {"y": None},
            "target=y",
            "The target must be present in at least one row. Received: 'y', missing in all 80 rows",
        ),
        ({"y": "u"}, "target=y", "The target must have at least two classes. Received: 'y', 'u' in every row"),
        ({"y": 3.5}, "target=y task=regression", "The target must vary. Received: 'y', which is 3.5 in every row"),
        (
            {"y": [*FLOATS[1:], "abc"]},
            "target=y",
            "Received in 'y': 'abc' in row 80 (line 81 of a CSV file), the first of 1",
        ),
        ({"y": [*FLOATS[1:], np.inf]}, "target=y", "must be a finite number in every row"),
        ({}, "target=y task=regression", "or set task=classification"),
        ({"y": [f"id{n}" for n in range(ROWS)]}, "target=y", "The classes of the target must occur in several rows"),
        ({"y": pd.date_range("2024-01-01", periods=ROWS)}, "target=y", "convert dates to numbers first, such as days"),
        ({"a": range(ROWS), "b": "k"}, "target=y", "At least one feature column must remain"),
        ({}, "target=y exclude_columns=a,b", "Received: a (excluded), b (excluded)"),
        (
            {},
            "target=y positive_class=w",
            "`positive_class` must be one of the target's classes. Received: 'w'; there are 'u', 'v'",
        ),
        ({}, "target=b positive_class=x", "`positive_class` is for a target of two classes"),
        ({}, "target=y loss=mse", "it can be cross_entropy, label_smoothing, focal. Received: loss=mse"),
        ({}, "target=a loss=focal", "it can be mse, mae, huber, quantile. Received: loss=focal"),
        ({}, "target=a loss=quantile quantile=0", "`quantile` must be a number > 0 and < 1"),
        ({}, "target=a balance_classes=true", "`balance_classes` needs a target of classes"),
        (
            {},
            "target=y numeric_columns=b",
            "A column must fit the kind that is set for it. Received: numeric_columns=b",
        ),
        ({}, "target=y date_columns=b", "Received: date_columns=b, which does not contain dates"),
        ({}, "target=y categorical_columns=bb", "The table must have the column 'bb'. Did you mean 'b'?"),
        ({}, "target=y numeric_columns=a categorical_columns=a", "A column can have one kind"),
        ({}, "target=y numeric_columns=y", "The kind of the target is set with task="),
        ({}, "target=y time_column=b", "`time_column` must contain dates or numbers"),
        ({}, "target=y group_column=q", "must have the column to split by"),
        ({}, "target=y time_column=a group_column=b", "not both"),
        ({}, "target=y test_fraction=0", "`val_fraction` and `test_fraction` must be above 0"),
        ({}, "target=y test_data=table.csv", "The table must have rows that are not in the test table"),
        ({}, "target=y test_data=none.csv", "a folder that exists. Received: test_data=none.csv"),
        ({}, "target=y epoch=3", "Unknown setting `epoch`. Did you mean 'epochs'?"),
        ({}, "target=y epochs=many", "`epochs` must be an integer >= 1"),
        ({}, "target=y architecture=mpl", "`architecture` must be tabm or mlp. Did you mean 'mlp'?"),
        ({}, "target=y a", "A setting must have the form key=value. Received: 'a'"),
        ({}, "target=y --quite", "Unknown flag --quite. Did you mean '--quiet'?"),
    ],
)
def test_settings_that_do_not_fit_the_table(assert_rejected, columns, settings, message):
    table(**columns).to_csv("table.csv", index=False)
    assert_rejected("train", "tabular", "data=table.csv", *settings.split(), message=message)


def test_too_few_rows_or_columns(assert_rejected):
    table().head(2).assign(y=["u", "v"]).to_csv("table.csv", index=False)
    assert_rejected(
        "train",
        "tabular",
        "data=table.csv",
        "target=y",
        message="Received: 2 distinct rows, none of them for validation",
    )
    table()[["y"]].to_csv("table.csv", index=False)
    assert_rejected(
        "train", "tabular", "data=table.csv", "target=y", message="at least one feature column besides the target"
    )


def test_unknown_recipe_or_command(assert_rejected):
    assert_rejected("train", "tabluar", message="No recipe 'tabluar'. Did you mean 'tabular'?")
    assert_rejected("show", message="A recipe must be given: ")
    assert_rejected("trian", "tabular", message="Unknown command 'trian'. Did you mean 'train'?")


# Files to predict


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"a": None}, "The table must have the column 'a'."),
        (
            {"a": "abc"},
            "The column 'a' must contain finite numbers, as in training. Received: 20 cells that are not",
        ),
        ({"d": "2024-31-31"}, "The column 'd' must contain dates, as in training"),
        ({"z": "maybe"}, "The column 'z' must contain yes or no, as in training"),
    ],
)
def test_file_with_invalid_columns_is_not_predicted(assert_rejected, model, changes, message):
    frame = table(20, d="05.01.2024", z=["yes", "no"] * 10, y=None)
    name = write_rows(
        frame.drop(columns=[name for name, cells in changes.items() if cells is None]),
        **{n: c for n, c in changes.items() if c},
    )
    assert_rejected("predict", model.folder, name, message=message)


def test_file_that_is_not_a_table_is_not_predicted(assert_rejected, model):
    Path("header.csv").write_text("a,b,d,z\n")
    assert_rejected("predict", model.folder, "header.csv", message="A table needs rows below its header")
    Path("image.csv").write_bytes(b"\x89PNG\r\n\x1a\n\0")
    assert_rejected("predict", model.folder, "image.csv", message="image.csv")
    assert_rejected("predict", model.folder, "nothing.csv", message="The file must exist")
    assert_rejected("predict", model.folder, message="A file to predict must be given")


def test_file_without_valid_targets_is_not_scored(assert_rejected, model):
    assert_rejected(
        "evaluate",
        model.folder,
        write_rows(y="w"),
        message="one of the training classes, 'u', 'v'. Received in 'y': 'w'",
    )
    assert_rejected("evaluate", model.folder, write_rows(y=None), message="Scoring needs rows with a target")
    assert_rejected(
        "evaluate",
        model.folder,
        write_rows(table(20).drop(columns="y")),
        message="The table must have the columns 'd', 'z', 'y'",
    )


def test_folder_that_is_not_a_finished_run(assert_rejected, model):
    Path("folder").mkdir()
    for verb in ("predict", "evaluate"):
        assert_rejected(verb, "folder", write_rows(), message="A run is a directory that `tfkit train` wrote")
        assert_rejected(verb, "nowhere", "rows.csv", message="A run is a directory that `tfkit train` wrote")
    assert_rejected("export", "folder", message="A run is a directory that `tfkit train` wrote")
    assert_rejected("train", "--resume", "folder", message="A run is a directory that `tfkit train` wrote")
    shutil.copytree(model.folder, "damaged")
    Path("damaged/metadata.json").write_text("{")
    assert_rejected("predict", "damaged", "rows.csv", message="The run's metadata.json must be JSON")
    Path("damaged/metrics.json").unlink()
    shutil.copy(model.path("metadata.json"), "damaged")
    assert_rejected(
        "predict",
        "damaged",
        "rows.csv",
        message="The run must be finished; resume it with `tfkit train --resume damaged`",
    )


def test_output_that_cannot_be_written(assert_rejected, model):
    table().to_csv("table.csv", index=False)
    settings = ["train", "tabular", "data=table.csv", "target=y", "epochs=1", "--out"]
    assert_rejected(*settings, "table.csv", message="`out` must be a folder. Received: table.csv, which is a file")
    assert_rejected(*settings, "/proc/runs", message="The folder for runs must be writable. Received: /proc/runs")
    assert_rejected(
        "predict",
        model.folder,
        write_rows(),
        "--out",
        "/proc/x.csv",
        message="The output folder must exist",
    )
    assert_rejected(
        "predict",
        model.folder,
        write_rows(),
        "--out",
        "nowhere/x.csv",
        message="The output folder must exist",
    )
    assert_rejected(
        "predict", model.folder, write_rows(), "--out", "x.xlsx", message="The suffix of a file to write must be"
    )
    assert_rejected("export", model.folder, "--format", "onxx", message="`format` must be one of keras, savedmodel")


@pytest.mark.parametrize("files", range(6))
def test_full_disk_leaves_no_files(assert_rejected, monkeypatch, working_directory, files):
    """The disk is full after this number of files, before the first training step."""
    table().to_csv("table.csv", index=False)
    remaining, builtin_open = [files], builtins.open

    def limited_open(file, mode="r", *arguments, **options):
        if set(mode) & set("wax+") and working_directory in Path(str(file)).absolute().parents:
            remaining[0] -= 1
            if remaining[0] < 0:
                raise OSError(errno.ENOSPC, "No space left on device", str(file))
        return builtin_open(file, mode, *arguments, **options)

    monkeypatch.setattr(builtins, "open", limited_open)
    monkeypatch.setattr(io, "open", limited_open)
    assert_rejected(
        "train", "tabular", "data=table.csv", "target=y", "epochs=1", "--quiet", message="No space left on device"
    )


def test_full_disk_leaves_no_predictions(assert_rejected, model, monkeypatch):
    name = write_rows()

    def fail(*paths):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    assert_rejected(
        "predict", model.folder, name, "--out", "answers.csv", message="answers.csv, No space left on device"
    )


def test_exit_code_is_two_without_traceback():
    process = subprocess.run(
        [sys.executable, "-m", "tfkit", "train", "tabular", "data=nothing.csv", "target=y"],
        capture_output=True,
        text=True,
    )
    assert process.returncode == 2
    assert process.stdout == ""
    assert process.stderr == "tfkit: `data` must be a file or a folder that exists. Received: data=nothing.csv\n"
    assert not Path("runs").exists()
