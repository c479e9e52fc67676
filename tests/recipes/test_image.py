"""The page for pictures from end to end, on small pictures that are drawn here."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import tfkit
from tfkit.cli import main
from tfkit.data import stored
from tfkit.errors import UserError
from tfkit.testing import check_recipe

RANDOM = np.random.default_rng(0)
FAST = {"epochs": 2, "filters": [4, 8], "batch_size": 32, "refit": False}


def stripes(label, height=12, width=10):
    """Stripes that lie or stand, somewhere, in noise."""
    values = RANDOM.integers(0, 90, (height, width))
    start = RANDOM.integers(0, 3)
    if label == "lying":
        values[start::3] += 150
    else:
        values[:, start::3] += 150
    return values.astype("uint8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("pictures")
    for label in ("lying", "standing"):
        (path / label).mkdir()
        for number in range(100):
            Image.fromarray(stripes(label)).save(path / label / f"{number:03}.png")
    return path


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    return tfkit.train("image", pictures=folder, out=out, quiet=True, **{**FAST, "epochs": 12, "learning_rate": 1e-2})


def words(settings):
    return [f"{name}={','.join(map(str, v)) if isinstance(v, list) else v}" for name, v in settings.items()]


def test_it_learns_what_can_be_learnt_and_says_so(run):
    metrics = run.metrics
    assert metrics["test"]["accuracy"] >= 0.9
    assert set(metrics["baselines"]) == {"constant", "linear_pixels"}
    assert metrics["baselines"]["constant"]["accuracy"] == 0.5
    assert run.info["inputs"] == {"pixels": {"dtype": "uint8", "shape": [12, 10, 1]}}
    assert "auto" not in run.config.values()
    kept = pd.read_csv(run.folder / "predictions.csv")
    assert (kept["truth"] == kept["predicted"]).mean() == pytest.approx(metrics["test"]["accuracy"])


def test_the_model_takes_pixels_of_any_size(run):
    pixels = np.stack([stripes("lying"), stripes("standing")])[..., None]
    small = run.model.predict({"pixels": pixels}, verbose=0)
    assert small.sum(axis=1) == pytest.approx(1, abs=1e-5)
    double = np.repeat(np.repeat(pixels, 2, axis=1), 2, axis=2)
    large = run.model.predict({"pixels": double}, verbose=0)
    assert (large.argmax(axis=1) == small.argmax(axis=1)).all()
    np.testing.assert_allclose(run.answer({"pixels": pixels}), small, atol=1e-6)
    np.testing.assert_allclose(np.asarray(run.model({"pixels": pixels})), small, atol=1e-5)  # nothing said of training


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["keras", "savedmodel"])
def test_exports_answer_as_the_model_does(run, tmp_path, kind):
    assert run.export(kind, tmp_path / f"model.{'keras' if kind == 'keras' else 'folder'}").exists()


def test_predict_names_the_pictures(run, folder, tmp_path, capsys):
    assert main(["predict", str(run.folder), str(folder / "lying"), "--out", str(tmp_path / "answers.csv")]) == 0
    capsys.readouterr()
    answers = pd.read_csv(tmp_path / "answers.csv")
    assert list(answers) == ["path", "predicted", "probability_lying", "probability_standing"]
    assert answers["path"].tolist() == [f"{number:03}.png" for number in range(100)]
    assert (answers["predicted"] == "lying").mean() > 0.9
    one = run.predict(folder / "standing" / "007.png")
    assert one["predicted"].tolist() == ["standing"]
    assert run.predict(np.asarray(Image.open(folder / "standing" / "007.png"))[None]).equals(one)
    assert run.evaluate(folder)["test"]["accuracy"] > 0.9


def test_where_answers_go_that_nobody_named(run, folder, capsys):
    assert main(["predict", str(run.folder), str(folder / "lying")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(folder / "lying.predicted.csv")
    (folder / "lying.predicted.csv").unlink()


@pytest.mark.slow
def test_a_number_is_learnt_from_a_table_of_paths(folder, tmp_path):
    paths = sorted(folder.glob("*/*.png"))
    bright = [float(np.asarray(Image.open(path)).mean()) for path in paths]
    pd.DataFrame({"file": paths, "brightness": bright}).to_csv(tmp_path / "bright.csv", index=False)
    run = tfkit.train(
        "image",
        pictures=tmp_path / "bright.csv",
        path_column="file",
        target="brightness",
        mixup=0.2,
        colour=0,
        out=tmp_path,
        quiet=True,
        **FAST,
    )
    assert run.metrics["task"] == "regression"
    assert set(run.predict(tmp_path / "bright.csv")) == {"predicted"}


TRANSFORMER = {"body": "transformer", "depth": 2, "units": 16, "filters": [16, 32, 64, 128]}
MORE = [
    {"body": "conv", "loss": "cross_entropy", "cutmix": 1.0},
    {"loss": "focal", "class_weights": True, "flip": "both"},
    {"shift": 0, "rotation": 0, "zoom": 0, "colour": 0},
    {"size": 16, "channels": "rgb", "refit": True},
    {"precision": "mixed_float16"},
]


@pytest.mark.parametrize(
    "settings",
    [TRANSFORMER, *(pytest.param(each, marks=pytest.mark.slow) for each in MORE)],
    ids=str,
)
def test_every_setting_trains(folder, tmp_path, settings):
    fast = {**FAST, "epochs": 1, **settings}
    run = tfkit.train("image", pictures=folder, out=tmp_path, test=False, quiet=True, **fast)
    assert np.isfinite(run.metrics["val"]["log_loss"])


MIXED = {**FAST, "mixup": 0.3, "flip": "both", "dropout": 0.2}


@pytest.fixture(scope="module")
def straight(folder):
    """A training of pictures in memory, and all that every recipe must hold."""
    return check_recipe("image", {**MIXED, "pictures": folder}, source=folder)


@pytest.mark.slow
def test_it_holds_what_every_recipe_must(straight):
    assert straight.finished


def assert_same(run, other):
    for one, two in zip(run.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert run.metrics["test"] == other.metrics["test"]
    assert run.about["data"] == other.about["data"]


@pytest.mark.slow
def test_pictures_in_a_file_train_to_the_same_bits(folder, straight, tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "SHARE", 0)
    assert_same(straight, tfkit.train("image", **MIXED, pictures=folder, out=tmp_path, quiet=True))


# what cannot be learnt from


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: [p.unlink() for p in f.rglob("*.png")], "There must be pictures"),
        (lambda f: [p.unlink() for p in (f / "b").iterdir()], "must have at least two classes"),
        (lambda f: [(f / "a" / f"{n}.png").write_bytes(b"") for n in range(2)], r"At most 1%.*2 of 40.*an empty file"),
        (lambda f: (f / "a" / "0.png").write_bytes(b"junk"), r"At most 1%.*a/0\.png \(no picture\)"),
        (lambda f: Image.new("1", (10_000, 10_000)).save(f / "a" / "0.png"), r"100 million pixels, more than 50"),
        (lambda f: Image.new("L", (8, 8)).save(f / "lost.png"), r"must lie in the folder of its class"),
    ],
    ids=["empty", "one class", "zero bytes", "unreadable", "100 megapixels", "no class"],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_bad_pictures_end_with_one_line_and_leave_nothing(tmp_path, capsys, spoil, message):
    for label in "ab":
        (tmp_path / "pictures" / label).mkdir(parents=True)
        for number in range(20):
            Image.fromarray(stripes("lying")).save(tmp_path / "pictures" / label / f"{number}.png")
    spoil(tmp_path / "pictures")
    given = [f"pictures={tmp_path / 'pictures'}", *words(FAST), "--out", str(tmp_path / "runs")]
    assert main(["train", "image", *given]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("tfkit: ")
    assert len(err.splitlines()) == 1
    with pytest.raises(UserError, match=message):
        raise UserError(err)
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"body": "transformer", "filters": [8]}, r"`filters=` is of convolutions.*Received: filters=\[8\]"),
        ({"units": 64}, "are of body=transformer.*Received: units=64 patch_size=4"),
        ({"body": "transformer", "units": 66}, "`units` must be a multiple of 4.*Received: 66"),
        ({"target": "path"}, "`target` and `path_column` must be two columns. Received: path for both"),
        ({"loss": "focal", "mixup": 0.2}, "loss=focal takes no mixed classes.*mixup=0.2 cutmix=0.0"),
        ({"refit": True, "learning_rate_decay": "plateau"}, "needs validation rows, and refit=true leaves none"),
        ({"loss": "huber"}, "'label' has classes, so it can be cross_entropy, label_smoothing, focal"),
        ({"group_column": "patient"}, "The table must have the column to split by"),
        ({"test_fraction": 0}, "must be above 0"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(folder, tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        tfkit.train("image", pictures=folder, out=tmp_path / "runs", quiet=True, **settings)
    assert not (tmp_path / "runs").exists()


def test_what_was_learnt_is_json_and_of_training(run):
    assert json.loads(json.dumps(run.info)) == run.info
    assert sum(run.info["target"]["counts"].values()) == run.about["rows"][0]
