"""Bad input gets one line, exit code 2 and leaves nothing half-written; good input that looks bad gets an answer."""

import builtins
import errno
import io
import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import tfkit
from tfkit import cli

ROWS = 80


def table(rows=ROWS, **columns):
    """A number, a category and two classes that have to do with the number."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=rows).round(3)
    frame = pd.DataFrame(
        {"a": a, "b": rng.choice(list("xyz"), rows), "y": np.where(a + rng.normal(size=rows) > 0, "u", "v")}
    )
    return frame.assign(**columns)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def refused(capfd):
    """Runs a command that must be refused: one line, exit code 2, and not a file more than before."""

    def run(*words, holding=""):
        before = everything()
        code = cli.main([str(word) for word in words])
        out, err = capfd.readouterr()
        assert (code, out) == (2, ""), err
        assert everything() == before
        assert err.startswith("tfkit: ")
        assert err.count("\n") == 1, err
        assert holding in err
        return err

    return run


@pytest.fixture
def done(capfd):
    """Runs a command that must work, and gives the last line of what it prints and all that it says."""

    def run(*words):
        code = cli.main([str(word) for word in words])
        out, err = capfd.readouterr()
        assert code == 0, err
        return out.splitlines()[-1], err

    return run


@pytest.fixture
def trained(done):
    """Trains on a table for one epoch and gives the run and what was said."""

    def run(frame, *settings, epochs=1):
        frame.to_csv("table.csv", index=False)
        words = settings if any("target=" in word for word in settings) else ["target=y", *settings]
        folder, said = done("train", "tabular", "table=table.csv", f"epochs={epochs}", "units=16", *words)
        return tfkit.Run(folder), said

    return run


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A run to ask."""
    folder = tmp_path_factory.mktemp("model")
    frame = table(200, d=pd.date_range("2024-01-01", periods=200).strftime("%d.%m.%Y"), z=["yes", "no"] * 100)
    frame.to_csv(folder / "table.csv", index=False)
    return tfkit.train("tabular", table=folder / "table.csv", target="y", epochs=1, units=16, out=folder, quiet=True)


def everything():
    """All that lies here, with the time of its last change; `runs` itself may be new and empty."""
    return {path: path.stat().st_mtime_ns for path in Path().rglob("*") if path != Path("runs")}


def rows(frame=None, name="rows.csv", **changes):
    """A file of rows to ask about."""
    frame = table(20, d="05.01.2024", z=["yes", "no"] * 10) if frame is None else frame
    frame.assign(**changes).to_csv(name, index=False)
    return name


# Tables that cannot be read


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nothing.csv", None, "The file must exist."),
        ("folder", "mkdir", "A table must be a file, or a folder with files of .csv .txt .tsv .jsonl .ndjson .parquet"),
        ("empty.csv", b"", "this file is empty. Received: empty.csv"),
        ("header.csv", b"a,b,y\n", "A table needs rows below its header. Received: header.csv, 3 names and no rows"),
        ("image.csv", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "image.csv"),
        ("ragged.csv", b"a,b,y\n1,2,u\n1,2,3,v\n", "Received: ragged.csv, 4 cells in line 3, 3 in the header"),
        ("twice.csv", b"a,a,y\n1,2,u\n2,3,v\n", "Column names must differ; rename one. Received: twice.csv"),
        ("caret.csv", b"a^b^y\n1^2^u\n3^4^v\n", "If it has more than one column, give delimiter=. Received: 'a^b^y'"),
        ("nested.jsonl", b'{"a": [1], "y": "u"}\n', "flatten nested values first. Received: nested.jsonl"),
        ("table.xyz", b"a,y\n1,u\n", "The suffix of a table file must be one of"),
    ],
)
def test_a_file_that_is_no_table_is_refused(refused, name, content, message):
    if content == "mkdir":
        Path(name).mkdir()
    elif content is not None:
        Path(name).write_bytes(content)
    refused("train", "tabular", f"table={name}", "target=y", holding=message)


def test_a_wrong_delimiter_is_refused(refused):
    table().to_csv("table.csv", index=False)
    refused("train", "tabular", "table=table.csv", "target=y", "delimiter=;", holding="Received: ")
    refused(
        "train",
        "tabular",
        "table=table.csv",
        "target=y",
        "delimiter=ab",
        holding="`delimiter` must be one ASCII character",
    )
    refused("train", "tabular", "table=table.csv", "target=y", "encoding=foo", holding="`encoding` must be an encoding")


def test_nested_cells_of_parquet_are_refused(refused):
    pd.DataFrame({"a": [[1], [2]] * 10, "y": ["u", "v"] * 10}).to_parquet("table.parquet")
    refused("train", "tabular", "table=table.parquet", "target=y", holding="several values in a cell of 'a'")


# Targets and settings that do not fit the table


NUMBERS = np.random.default_rng(1).normal(size=ROWS).round(3)


@pytest.mark.parametrize(
    ("columns", "settings", "message"),
    [
        ({}, "target=yy", "The table must have the column 'yy'. Did you mean 'y'? Received: 'a', 'b', 'y'"),
        ({}, "", "`table=` replaces the sample, so `target=` must be given too"),
        (
            {"y": None},
            "target=y",
            "The target must be there in some rows at least. Received: 'y', missing in all 80 rows",
        ),
        ({"y": "u"}, "target=y", "The target must have at least two classes. Received: 'y', 'u' in every row"),
        ({"y": 3.5}, "target=y kind=number", "The target must vary. Received: 'y', which is 3.5 in every row"),
        (
            {"y": [*NUMBERS[1:], "abc"]},
            "target=y",
            "Received in 'y': 'abc' in row 80 (line 81 of a CSV file), the first of 1",
        ),
        ({"y": [*NUMBERS[1:], np.inf]}, "target=y", "must be a finite number in every row"),
        ({}, "target=y kind=number", "or set kind=class"),
        ({"y": [f"id{n}" for n in range(ROWS)]}, "target=y", "The target's classes must repeat, to be learnt"),
        ({"y": pd.date_range("2024-01-01", periods=ROWS)}, "target=y", "make a number of it first, such as days"),
        ({"a": range(ROWS), "b": "k"}, "target=y", "At least one column must be left to learn from"),
        ({}, "target=y leave_out=a,b", "Received: a (left out), b (left out)"),
        (
            {},
            "target=y positive=w",
            "`positive` must be one of the target's classes. Received: 'w'; there are 'u', 'v'",
        ),
        ({}, "target=b positive=x", "`positive` is for a target of two classes"),
        ({}, "target=y loss=squared", "so it can be cross_entropy, label_smoothing, focal. Received: loss=squared"),
        ({}, "target=a loss=focal", "so it can be squared, absolute, huber, quantile. Received: loss=focal"),
        ({}, "target=a loss=quantile quantile=0", "`quantile` must be above 0 and below 1"),
        ({}, "target=a class_weights=true", "`class_weights` needs a target of classes"),
        ({}, "target=y number=b", "A column must fit the kind that is set for it. Received: number=b"),
        ({}, "target=y date=b", "Received: date=b, which does not contain dates"),
        ({}, "target=y category=bb", "The table must have the column 'bb'. Did you mean 'b'?"),
        ({}, "target=y number=a category=a", "A column can have one kind"),
        ({}, "target=y number=y", "The target's kind is set with kind="),
        ({}, "target=y time_column=b", "`time_column` must hold dates or numbers"),
        ({}, "target=y group_column=q", "must have the column to split by"),
        ({}, "target=y time_column=a group_column=b", "not both"),
        ({}, "target=y test_fraction=0", "`val_fraction` and `test_fraction` must be above 0"),
        ({}, "target=y test_table=table.csv", "The table must have rows that are not in the test table"),
        ({}, "target=y test_table=none.csv", "The file must exist."),
        ({}, "target=y epoch=3", "Unknown setting `epoch`. Did you mean 'epochs'?"),
        ({}, "target=y epochs=many", "`epochs` must be an integer >= 1"),
        ({}, "target=y body=mpl", "`body` must be ensemble or mlp. Did you mean 'mlp'?"),
        ({}, "target=y a", "Settings are written key=value. Received: 'a'"),
        ({}, "target=y --quite", "Unknown flag --quite. Did you mean '--quiet'?"),
    ],
)
def test_what_does_not_fit_the_table_is_refused(refused, columns, settings, message):
    table(**columns).to_csv("table.csv", index=False)
    refused("train", "tabular", "table=table.csv", *settings.split(), holding=message)


def test_too_few_rows_are_refused(refused):
    table().head(2).assign(y=["u", "v"]).to_csv("table.csv", index=False)
    refused(
        "train",
        "tabular",
        "table=table.csv",
        "target=y",
        holding="Received: 2 different rows, of which none is left for validation",
    )
    table()[["y"]].to_csv("table.csv", index=False)
    refused("train", "tabular", "table=table.csv", "target=y", holding="a column to learn from beside the target")


def test_an_unknown_recipe_is_refused(refused):
    refused("train", "tabluar", holding="No recipe 'tabluar'. Did you mean 'tabular'?")
    refused("show", holding="Say which recipe: ")
    refused("trian", "tabular", holding="Unknown verb 'trian'. Did you mean 'train'?")


# Files to predict


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"a": None}, "The table must have the column 'a'."),
        (
            {"a": "abc"},
            "The column 'a' must hold what it held in training, finite numbers. Received: 20 cells that are not",
        ),
        ({"d": "2024-31-31"}, "The column 'd' must hold what it held in training, dates"),
        ({"z": "maybe"}, "The column 'z' must hold what it held in training, yes or no"),
    ],
)
def test_a_file_with_other_columns_is_refused(refused, model, changes, message):
    frame = table(20, d="05.01.2024", z=["yes", "no"] * 10, y=None)
    name = rows(
        frame.drop(columns=[name for name, cells in changes.items() if cells is None]),
        **{n: c for n, c in changes.items() if c},
    )
    refused("predict", model.folder, name, holding=message)


def test_a_file_that_is_no_table_is_not_predicted(refused, model):
    Path("header.csv").write_text("a,b,d,z\n")
    refused("predict", model.folder, "header.csv", holding="A table needs rows below its header")
    Path("image.csv").write_bytes(b"\x89PNG\r\n\x1a\n\0")
    refused("predict", model.folder, "image.csv", holding="image.csv")
    refused("predict", model.folder, "nothing.csv", holding="The file must exist")
    refused("predict", model.folder, holding="Say which file to predict")


def test_a_file_without_the_truth_is_not_scored(refused, model):
    refused(
        "evaluate", model.folder, rows(y="w"), holding="one of those that were learnt, 'u', 'v'. Received in 'y': 'w'"
    )
    refused("evaluate", model.folder, rows(y=None), holding="There must be rows with a target to score")
    refused(
        "evaluate",
        model.folder,
        rows(table(20).drop(columns="y")),
        holding="The table must have the columns 'd', 'z', 'y'",
    )


def test_what_is_no_run_is_refused(refused, model):
    Path("folder").mkdir()
    for verb in ("predict", "evaluate"):
        refused(verb, "folder", rows(), holding="A run is a folder that `tfkit train` has made")
        refused(verb, "nowhere", "rows.csv", holding="A run is a folder that `tfkit train` has made")
    refused("export", "folder", holding="A run is a folder that `tfkit train` has made")
    refused("train", "--resume", "folder", holding="A run is a folder that `tfkit train` has made")
    shutil.copytree(model.folder, "damaged")
    Path("damaged/info.json").write_text("{")
    refused("predict", "damaged", "rows.csv", holding="The run's info.json must be JSON")
    Path("damaged/metrics.json").unlink()
    shutil.copy(model.path("info.json"), "damaged")
    refused(
        "predict", "damaged", "rows.csv", holding="The run must be finished; go on with `tfkit train --resume damaged`"
    )


def test_a_place_that_cannot_be_written_is_refused(refused, model):
    table().to_csv("table.csv", index=False)
    settings = ["train", "tabular", "table=table.csv", "target=y", "epochs=1", "--out"]
    refused(*settings, "table.csv", holding="`out` must be a folder. Received: table.csv, which is a file")
    refused(*settings, "/proc/runs", holding="The folder for runs must be writable. Received: /proc/runs")
    refused("predict", model.folder, rows(), "--out", "/proc/x.csv", holding="The output folder must exist")
    refused("predict", model.folder, rows(), "--out", "nowhere/x.csv", holding="The output folder must exist")
    refused("predict", model.folder, rows(), "--out", "x.xlsx", holding="The suffix of a table file must be one of")
    refused("export", model.folder, "--format", "onxx", holding="`format` must be one of keras, savedmodel")


@pytest.mark.parametrize("files", range(6))
def test_a_full_disk_leaves_nothing(refused, monkeypatch, here, files):
    """The disk is full after so many files, all before the first step of training."""
    table().to_csv("table.csv", index=False)
    left, real = [files], builtins.open

    def full(file, mode="r", *arguments, **options):
        if set(mode) & set("wax+") and here in Path(str(file)).absolute().parents:
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, "No space left on device", str(file))
        return real(file, mode, *arguments, **options)

    monkeypatch.setattr(builtins, "open", full)
    monkeypatch.setattr(io, "open", full)
    refused("train", "tabular", "table=table.csv", "target=y", "epochs=1", "--quiet", holding="No space left on device")


def test_a_full_disk_leaves_no_answers(refused, model, monkeypatch, here):
    name = rows()

    def full(*paths):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    refused("predict", model.folder, name, "--out", "answers.csv", holding="answers.csv, No space left on device")


def test_the_command_itself_ends_with_two_and_no_traceback():
    done = subprocess.run(
        [sys.executable, "-m", "tfkit", "train", "tabular", "table=nothing.csv", "target=y"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == "tfkit: The file must exist. Received: nothing.csv, no such file\n"
    assert not Path("runs").exists()


# Good input that looks bad


@pytest.mark.slow
def test_columns_with_nothing_in_them_are_left_out(trained):
    run, said = trained(table(nothing=None, same="k"))
    assert run.info["columns"]["nothing"]["treatment"] == "left out: missing in every row"
    assert run.info["columns"]["same"]["treatment"] == "left out: the same in every row"
    assert list(run.info["inputs"]) == ["a", "b"]
    assert "left out: missing in every row" in said


@pytest.mark.slow
def test_infinities_are_missing(trained):
    run, _ = trained(table(c=np.where(np.arange(ROWS) % 5 == 0, np.inf, np.arange(ROWS) / 2)))
    assert "cells that are not finite numbers count as missing" in run.info["columns"]["c"]["treatment"]
    assert run.info["missing"] == [1]
    answers = run.predict({"a": [0.0, -np.inf], "b": ["x", "x"], "c": [np.inf, np.nan]})
    assert np.isfinite(answers["probability_u"]).all()


@pytest.mark.slow
def test_numbers_may_have_thousands_separators(trained):
    numbers = np.random.default_rng(0).integers(0, 10**6, 2 * ROWS).reshape(2, ROWS)
    columns = {"c": [f"{n:,}" for n in numbers[0]], "y": [f"{n:,}" for n in numbers[1]]}
    run, _ = trained(table(**columns))
    assert run.info["columns"]["c"]["kind"] == "number"
    assert run.info["task"] == "regression"
    assert numbers[1].min() <= run.info["target"]["mean"] <= numbers[1].max()
    same = [run.predict(table(1, c=cell))["predicted"][0] for cell in ("12,345", 12345)]
    assert same[0] == same[1]


@pytest.mark.slow
def test_a_table_may_be_smaller_than_a_batch(trained):
    run, said = trained(table(12, y=["u", "v"] * 6), "batch_size=512")
    assert "8 rows, 8 a step" in said
    assert run.finished


@pytest.mark.slow
def test_a_class_may_have_one_row(trained):
    run, _ = trained(table(y=["w", *["u", "v"] * 39, "u"]))
    assert run.info["target"]["classes"] == ["u", "v", "w"]
    assert run.info["target"]["counts"]["w"] == 1, "it is learnt"
    assert set(run.predict(table(3))) == {"predicted", "probability_u", "probability_v", "probability_w"}


def test_a_file_with_extra_columns_and_new_words_is_predicted(done, model):
    path, said = done("predict", model.folder, rows(b="new", more=1, z="TRUE"))
    assert path == "rows.predicted.csv"
    found = pd.read_csv(path)
    assert list(found) == ["a", "b", "y", "d", "z", "more", "predicted", "probability_u", "probability_v"]
    np.testing.assert_allclose(found["probability_u"] + found["probability_v"], 1, rtol=1e-5)
    assert "Columns that were not there in training are not used: 'more'" in said
    assert "b: 20 cells hold words that training did not, or once only: 'new'" in said
    assert "z:" not in said


def test_single_cells_that_do_not_fit_are_missing(done, model):
    _, said = done("predict", model.folder, rows(a=["abc", *[1.5] * 19]), "--out", "out.csv")
    assert "a: 1 of 20 cells are not finite numbers and count as missing, such as 'abc'" in said


def test_a_file_in_another_order_gets_the_same_answers(done, model):
    frame = table(20, d="05.01.2024", z=["yes", "no"] * 10)
    one, _ = done("predict", model.folder, rows(frame), "--out", "one.csv")
    other, _ = done("predict", model.folder, rows(frame[["z", "d", "b", "a"]]), "--out", "other.csv")
    assert pd.read_csv(one)["probability_u"].tolist() == pd.read_csv(other)["probability_u"].tolist()


@pytest.mark.slow
def test_copies_do_not_straddle(trained):
    run, said = trained(pd.concat([table(), table().head(20)]))
    assert "Cleaned: 20 of 100 rows left out: the same as another row" in said
    assert sum(run.about["rows"]) == 80


def alone(command, *words):
    """The last line of a command that runs in a process of its own."""
    done = subprocess.run([sys.executable, "-m", "tfkit", command, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.mark.slow
def test_five_thousand_columns():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(500, 5000)).round(3), columns=[f"x{number}" for number in range(5000)])
    frame.assign(y=rng.choice(["u", "v"], 500)).to_csv("wide.csv", index=False)
    run = alone("train", "tabular", "table=wide.csv", "target=y", "epochs=1")
    assert len(json.loads((Path(run) / "info.json").read_text())["inputs"]) == 5000
    frame.head(20).to_csv("rows.csv", index=False)
    assert len(pd.read_csv(alone("predict", run, "rows.csv"))) == 20


@pytest.mark.slow
def test_a_category_with_a_hundred_thousand_values():
    rng = np.random.default_rng(0)
    code = rng.permutation(np.repeat(np.arange(100_000), 3))
    pd.DataFrame({"city": [f"city {c}" for c in code], "x": rng.normal(size=300_000).round(3), "y": code % 2}).to_csv(
        "big.csv", index=False
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # of the largest process so far
    run = alone("train", "tabular", "table=big.csv", "target=y", "epochs=1")
    info = json.loads((Path(run) / "info.json").read_text())
    assert info["columns"]["city"]["kind"] == "category"
    assert 70_000 < len(info["inputs"]["city"]["vocabulary"]) < 100_000
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss <= max(4e6, before)
