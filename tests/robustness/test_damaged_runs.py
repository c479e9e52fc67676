"""Damaged or manipulated run folders: each works or raises a UserError, and no code in it is executed."""

import io
import json
import pickle
import shutil
import zipfile

import pandas as pd
import pytest

import tfkit
from tests.robustness import corpus_tables as tables
from tests.robustness.expectations import check_message, time_limit
from tfkit.errors import UserError

JSON_CONTENTS = {
    "empty": "",
    "open": "{",
    "list": "[]",
    "null": "null",
    "number": "7",
    "deep": "[" * 100_000,
    "empty_object": "{}",
    "binary": "\0\xff",
}
WRONG_TYPES = {
    "kind": "os",
    "inputs": 3,
    "target": [],
    "task": {},
    "classes": 1,
    "test": "x",
    "command": 1,
    "started": 0,
    "reader": "os:system",
}
JSON_CONTENTS |= {"wrong_types": json.dumps(WRONG_TYPES)}
JSON_NAMES = ("config", "provenance", "metadata", "metrics", "reference_stats")


class CreatesFile:
    """An object whose pickle creates a file when it is loaded."""

    def __reduce__(self):
        return (open, ("pwned", "w"))


@pytest.fixture(scope="module")
def trained_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    (folder / "t.csv").write_text(tables.csv_text(120))
    settings = {"epochs": 1, "architecture": "mlp", "units": 8, "num_bins": 8, "batch_size": 32, "refit": False}
    return tfkit.train("tabular", data=folder / "t.csv", target="y", out=folder, quiet=True, **settings).folder


@pytest.fixture
def run(trained_run, tmp_path, monkeypatch):
    """A copy of the trained run, to be damaged by a test."""
    shutil.copytree(trained_run, tmp_path / "runs" / "copy")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs" / "copy"


def zip_bytes(files):
    """Return the bytes of a .zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def keras_file(config):
    """Return the bytes of a .keras file with this model config."""
    files = {"metadata.json": '{"keras_version": "3.15.1"}', "config.json": json.dumps(config), "model.weights.h5": b""}
    return zip_bytes(files)


SYSTEM = {"module": "os", "class_name": "system", "config": {"command": "touch pwned"}, "registered_name": None}
LAMBDA = {
    "module": "keras.layers",
    "class_name": "Lambda",
    "registered_name": None,
    "config": {"function": {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None}}},
}
MODELS = {
    "empty": b"",
    "text": b"x",
    "pickle": pickle.dumps(CreatesFile()),
    "zip": zip_bytes({"x": "y"}),
    "above": zip_bytes({"../../pwned": "x", "/tmp/pwned": "y"}),
    "system": keras_file(SYSTEM),
    "lambda": keras_file(LAMBDA),
    "null": keras_file(None),
    "list": keras_file([1]),
    "deep": zip_bytes({"config.json": "[" * 100_000, "metadata.json": "{}"}),
    "class": keras_file({"module": "keras.layers", "class_name": "Dense", "config": {"units": -1}}),
}


def use_run(folder, file):
    """Call every method that reads a run; return the messages of the UserErrors."""
    messages = []
    actions = [
        lambda: tfkit.Run(folder).predict(file),
        lambda: tfkit.Run(folder).evaluate(file),
        lambda: tfkit.list_runs(folder.parent),
        lambda: tfkit.Run(folder).report(),
        lambda: tfkit.Run(folder).export("keras", folder.parent / "e.keras"),
        lambda: tfkit.compare(folder, folder),
        lambda: tfkit.train(resume=folder, quiet=True),
    ]
    for action in actions:
        try:
            with time_limit():
                action()
        except UserError as error:
            messages.append(check_message(error))
        assert not list(folder.parents[1].rglob("pwned"))
    return messages


def write_rows(folder):
    """Write rows to predict; return the path."""
    path = folder / "rows.csv"
    path.write_text(tables.csv_text(20))
    return path


DAMAGES = [(name, text) for name in JSON_NAMES for text in JSON_CONTENTS]


@pytest.mark.parametrize(
    ("name", "text"),
    [case if case == ("metadata", "list") else pytest.param(*case, marks=pytest.mark.long) for case in DAMAGES],
)
def test_damaged_json(name, text, run, tmp_path):
    (run / f"{name}.json").write_text(JSON_CONTENTS[text], encoding="latin-1")
    messages = use_run(run, write_rows(tmp_path))
    assert messages or text in ("empty_object", "wrong_types")


@pytest.mark.parametrize("name", MODELS)
def test_invalid_or_malicious_model_file_raises(name, run, tmp_path):
    (run / "model.keras").write_bytes(MODELS[name])
    with pytest.raises(UserError, match=r"model\.keras must be complete"), time_limit():
        tfkit.Run(run).predict(write_rows(tmp_path))
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.long
def test_links_and_folders_instead_of_files(run, tmp_path):
    for name in ("metadata.json", "model.keras", "metrics.json", "provenance.json", "config.json"):
        (run / name).unlink()
        (run / name).symlink_to(name)
        assert use_run(run, write_rows(tmp_path))
        (run / name).unlink()
        (run / name).mkdir()
        assert use_run(run, write_rows(tmp_path))


@pytest.mark.long
def test_names_from_a_run_are_escaped(run, tmp_path):
    provenance = json.loads((run / "provenance.json").read_text())
    provenance |= {"recipe": "../../<script>alert(1)</script>", "command": ["<img src=x onerror=alert(1)>"]}
    (run / "provenance.json").write_text(json.dumps(provenance))
    use_run(run, write_rows(tmp_path))
    for report in tmp_path.rglob("*.html"):
        assert "<script>alert(1)" not in report.read_text()
        assert "<img src=x" not in report.read_text()


@pytest.mark.parametrize("content", [b"", b"x", pickle.dumps(CreatesFile()), zip_bytes({"../x.npy": "x"})])
def test_invalid_examples_raise(content, run, tmp_path):
    (run / "sample_inputs.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"sample_inputs\.npz must be complete"):
        tfkit.Run(run).export("keras", tmp_path / "e.keras")
    assert isinstance(tfkit.Run(run).predict(write_rows(tmp_path)), pd.DataFrame)
