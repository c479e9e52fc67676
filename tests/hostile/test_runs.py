"""Run folders that somebody has changed: each answers, or is refused in one line, and nothing of it is run."""

import io
import json
import pickle
import shutil
import zipfile

import pandas as pd
import pytest

import tfkit
from tests.hostile import tables
from tests.hostile.judge import in_time, line
from tfkit.errors import UserError

TEXTS = {
    "empty": "",
    "open": "{",
    "list": "[]",
    "null": "null",
    "number": "7",
    "deep": "[" * 100_000,
    "nothing": "{}",
    "binary": "\0\xff",
}
WRONG = {
    "inputs": 3,
    "target": [],
    "task": {},
    "classes": 1,
    "test": "x",
    "command": 1,
    "begun": 0,
    "read": "os:system",
}
TEXTS |= {"wrong": json.dumps(WRONG)}
JSONS = ("config", "about", "info", "metrics", "drift")


class Touch:
    """A pickle that would leave a file."""

    def __reduce__(self):
        return (open, ("pwned", "w"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    (folder / "t.csv").write_text(tables.text(120))
    small = {"epochs": 1, "body": "mlp", "units": 8, "bins": 8, "batch_size": 32, "refit": False}
    return tfkit.train("tabular", table=folder / "t.csv", target="y", out=folder, quiet=True, **small).folder


@pytest.fixture
def run(trained, tmp_path, monkeypatch):
    """A copy to spoil."""
    shutil.copytree(trained, tmp_path / "runs" / "it")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs" / "it"


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def keras_file(config):
    """A .keras file with this model in it."""
    names = {"metadata.json": '{"keras_version": "3.15.1"}', "config.json": json.dumps(config), "model.weights.h5": b""}
    return zipped(names)


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
    "pickle": pickle.dumps(Touch()),
    "zip": zipped({"x": "y"}),
    "above": zipped({"../../pwned": "x", "/tmp/pwned": "y"}),
    "system": keras_file(SYSTEM),
    "lambda": keras_file(LAMBDA),
    "null": keras_file(None),
    "list": keras_file([1]),
    "deep": zipped({"config.json": "[" * 100_000, "metadata.json": "{}"}),
    "class": keras_file({"module": "keras.layers", "class_name": "Dense", "config": {"units": -1}}),
}


def everything(folder, file):
    """All that one does with a run; each ends, or says one line."""
    said = []
    opened = [
        lambda: tfkit.Run(folder).predict(file),
        lambda: tfkit.Run(folder).evaluate(file),
        lambda: tfkit.runs(folder.parent),
        lambda: tfkit.Run(folder).report(),
        lambda: tfkit.Run(folder).export("keras", folder.parent / "e.keras"),
        lambda: tfkit.compare(folder, folder),
        lambda: tfkit.train(resume=folder, quiet=True),
    ]
    for ask in opened:
        try:
            with in_time():
                ask()
        except UserError as error:
            said.append(line(error))
        assert not list(folder.parents[1].rglob("pwned"))
    return said


def rows(folder):
    path = folder / "rows.csv"
    path.write_text(tables.text(20))
    return path


DAMAGES = [(name, text) for name in JSONS for text in TEXTS]


@pytest.mark.parametrize(
    ("name", "text"),
    [each if each == ("info", "list") else pytest.param(*each, marks=pytest.mark.long) for each in DAMAGES],
)
def test_damaged_json(name, text, run, tmp_path):
    (run / f"{name}.json").write_text(TEXTS[text], encoding="latin-1")
    said = everything(run, rows(tmp_path))
    assert said or text in ("nothing", "wrong")


@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_is_none_or_would_do_harm(name, run, tmp_path):
    (run / "model.keras").write_bytes(MODELS[name])
    with pytest.raises(UserError, match=r"model\.keras must be whole"), in_time():
        tfkit.Run(run).predict(rows(tmp_path))
    assert not list(tmp_path.rglob("pwned"))


@pytest.mark.long
def test_links_and_folders_in_place_of_files(run, tmp_path):
    for name in ("info.json", "model.keras", "metrics.json", "about.json", "config.json"):
        (run / name).unlink()
        (run / name).symlink_to(name)
        assert everything(run, rows(tmp_path))
        (run / name).unlink()
        (run / name).mkdir()
        assert everything(run, rows(tmp_path))


@pytest.mark.long
def test_names_from_a_run_reach_no_path_and_no_page(run, tmp_path):
    about = json.loads((run / "about.json").read_text())
    about |= {"recipe": "../../<script>alert(1)</script>", "command": ["<img src=x onerror=alert(1)>"]}
    (run / "about.json").write_text(json.dumps(about))
    everything(run, rows(tmp_path))
    for page in tmp_path.rglob("*.html"):
        assert "<script>alert(1)" not in page.read_text()
        assert "<img src=x" not in page.read_text()


@pytest.mark.parametrize("content", [b"", b"x", pickle.dumps(Touch()), zipped({"../x.npy": "x"})])
def test_examples_that_are_none(content, run, tmp_path):
    (run / "examples.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"examples\.npz must be whole"):
        tfkit.Run(run).export("keras", tmp_path / "e.keras")
    assert isinstance(tfkit.Run(run).predict(rows(tmp_path)), pd.DataFrame)
