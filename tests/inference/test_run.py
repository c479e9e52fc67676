"""Tests of a finished run: predict, evaluate, export, damaged files."""

import json

import numpy as np
import pandas as pd
import pytest

import tfkit
from tfkit.cli.main import main
from tfkit.errors import UserError
from tfkit.run_dir import latest_run

FAST = {"epochs": 1, "units": 8, "ensemble_size": 2, "num_bins": 8, "batch_size": 64, "refit": False, "quiet": True}


@pytest.fixture(scope="module")
def frame():
    random = np.random.default_rng(1)
    frame = pd.DataFrame({"hours per week": random.integers(1, 80, 300), "städte": random.choice(["Köln", "Ulm"], 300)})
    frame["y"] = np.where(frame["hours per week"] + random.normal(0, 9, 300) > 40, "much", "little")
    return frame


@pytest.fixture(scope="module")
def run(frame, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    frame.to_parquet(folder / "t.parquet")
    return tfkit.train("tabular", data=folder / "t.parquet", target="y", out=folder / "runs", **FAST)


def test_predict_returns_label_and_probabilities(run, frame):
    predictions = run.predict(frame.drop(columns="y"))
    assert list(predictions) == ["predicted", "probability_little", "probability_much"]
    assert len(predictions) == len(frame)
    top = predictions[["probability_little", "probability_much"]].to_numpy().argmax(axis=1)
    assert list(predictions["predicted"]) == [["little", "much"][i] for i in top]


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".json", ".jsonl", ".csv.gz"])
def test_predict_writes_the_input_columns_first(run, frame, tmp_path, suffix, capsys):
    from tfkit.data.files.read import read_frame
    from tfkit.data.files.write import write_frame

    write_frame(frame.head(20), tmp_path / f"new{suffix}")
    out = tmp_path / f"predictions{suffix}"
    assert main(["predict", str(run.folder), str(tmp_path / f"new{suffix}"), "--out", str(out)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    predictions = read_frame(out)
    assert list(predictions) == [*frame, "predicted", "probability_little", "probability_much"]
    expected = run.predict(frame.head(20))
    assert list(predictions["predicted"]) == list(expected["predicted"])
    np.testing.assert_allclose(predictions["probability_much"].astype(float), expected["probability_much"], rtol=1e-5)


def test_every_form_of_a_row_is_predicted_alike(run, frame):
    import pyarrow as pa

    rows = frame.drop(columns="y").head(3)
    expected = run.predict(rows)
    first = rows.iloc[0].to_dict()
    for source in (rows.to_dict("records"), pa.Table.from_pandas(rows), rows.to_dict("list"), rows.to_dict("series")):
        pd.testing.assert_frame_equal(run.predict(source), expected, rtol=1e-5)
    for source in (first, [first], rows.iloc[0], {**first, "id": 7}, {name: [cell] for name, cell in first.items()}):
        pd.testing.assert_frame_equal(run.predict(source), expected.iloc[:1], rtol=1e-5)


def test_one_row_traces_nothing_reads_no_file_and_makes_no_frame_of_inputs(run, frame, monkeypatch):
    import tensorflow as tf

    from tfkit.data.tabular import reading
    from tfkit.run_dir import RunDir

    row = frame.drop(columns="y").iloc[0].to_dict()
    expected = run.predict(row)
    for owner, name in ((tf, "function"), (reading, "read_frame"), (RunDir, "read_json")):
        monkeypatch.setattr(owner, name, None)
    pd.testing.assert_frame_equal(run.predict(row), expected)


def test_evaluate_on_a_new_file(run, frame, tmp_path, capsys):
    frame.to_csv(tmp_path / "own.csv", index=False)
    assert main(["evaluate", str(run.folder), str(tmp_path / "own.csv"), "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)
    accuracy = (run.predict(frame)["predicted"] == frame["y"]).mean()
    assert scores["test"]["accuracy"] == pytest.approx(accuracy)
    assert main(["evaluate", str(run.folder), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == run.metrics


def test_evaluate_prints_a_table(run, capsys):
    assert main(["evaluate", str(run.folder)]) == 0
    out = capsys.readouterr().out
    assert "accuracy" in out
    assert "gradient_boosting" in out
    assert "much" in out


def test_folder_that_is_not_a_run_raises(tmp_path):
    with pytest.raises(UserError, match="A run is a directory that `tfkit train` wrote"):
        tfkit.Run(tmp_path)


def test_damaged_file_is_named_in_the_error(run, tmp_path):
    import shutil

    shutil.copytree(run.folder, tmp_path / "copy")
    (tmp_path / "copy" / "model.keras").write_bytes(b"PK")
    with pytest.raises(UserError, match=r"model\.keras must be complete"):
        _ = tfkit.Run(tmp_path / "copy").model
    (tmp_path / "copy" / "metrics.json").write_text("{")
    with pytest.raises(UserError, match=r"metrics\.json must be JSON"):
        _ = tfkit.Run(tmp_path / "copy").metrics


def test_recipe_with_its_own_reader_must_be_given(run, frame, tmp_path):
    import shutil

    shutil.copytree(run.folder, tmp_path / "copy")
    provenance = json.loads((tmp_path / "copy" / "provenance.json").read_text())
    (tmp_path / "copy" / "provenance.json").write_text(json.dumps({**provenance, "reader": None}))
    with pytest.raises(UserError, match="give the file again: --recipe"):
        tfkit.Run(tmp_path / "copy").predict(frame)
    predictions = tfkit.Run(tmp_path / "copy", recipe="tabular").predict(frame)
    pd.testing.assert_frame_equal(predictions, run.predict(frame))


def test_reader_outside_tfkit_is_not_imported(run, frame, tmp_path):
    import shutil

    shutil.copytree(run.folder, tmp_path / "copy")
    provenance = json.loads((tmp_path / "copy" / "provenance.json").read_text())
    (tmp_path / "copy" / "provenance.json").write_text(json.dumps({**provenance, "reader": "antigravity:read_all"}))
    with pytest.raises(UserError, match="The run's reader must be one of tfkit;"):
        tfkit.Run(tmp_path / "copy").predict(frame)


def test_predictions_have_the_index_of_the_input(run, frame):
    subset = frame[frame["hours per week"] > 40]
    assert list(run.predict(subset).index) == list(subset.index)


def test_input_cells_and_input_file_are_unchanged(run, tmp_path):
    (tmp_path / "new.csv").write_text("hours per week,städte,note\n10,Ulm,NA\n?,Köln,\n", encoding="utf-8")
    run.predict_file(tmp_path / "new.csv", tmp_path / "out.csv")
    rows = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()
    assert rows[1].startswith("10,Ulm,NA,")
    assert rows[2].startswith("?,Köln,,")
    with pytest.raises(UserError, match="must be written to another file"):
        run.predict_file(tmp_path / "new.csv", tmp_path / "new.csv")


def test_unfinished_run_cannot_be_exported(run, tmp_path):
    import shutil

    shutil.copytree(run.folder, tmp_path / "copy")
    (tmp_path / "copy" / "metrics.json").unlink()
    with pytest.raises(UserError, match="must be finished"):
        tfkit.Run(tmp_path / "copy").export()
    assert latest_run(tmp_path) is None


def test_newest_run(run, tmp_path):
    assert latest_run(run.folder.parent) == run.folder
    assert latest_run(tmp_path) is None


def test_out_must_be_a_writable_folder(tmp_path, frame):
    frame.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="`out` must be a folder"):
        tfkit.train("tabular", data=tmp_path / "t.csv", target="y", out=tmp_path / "file", **FAST)
    with pytest.raises(UserError, match="must be writable"):
        tfkit.train("tabular", data=tmp_path / "t.csv", target="y", out="/proc/missing", **FAST)
