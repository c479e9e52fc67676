"""The image recipe from end to end, on small synthetic images."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import tfkit
from tfkit.cli.main import main
from tfkit.datasets import memmap
from tfkit.errors import UserError
from tfkit.metadata import Metadata
from tfkit.testing import check_recipe

RANDOM = np.random.default_rng(0)
FAST = {"epochs": 2, "filters": [4, 8], "batch_size": 32, "refit": False}


def stripes(label, height=12, width=10):
    """Make an image of horizontal or vertical stripes at a random offset, in noise."""
    values = RANDOM.integers(0, 90, (height, width))
    start = RANDOM.integers(0, 3)
    if label == "horizontal":
        values[start::3] += 150
    else:
        values[:, start::3] += 150
    return values.astype("uint8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("images")
    for label in ("horizontal", "vertical"):
        (path / label).mkdir()
        for index in range(100):
            Image.fromarray(stripes(label)).save(path / label / f"{index:03}.png")
    return path


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    return tfkit.train("image", data=folder, out=out, quiet=True, **{**FAST, "epochs": 12, "learning_rate": 1e-2})


def to_arguments(settings):
    return [
        f"{name}={','.join(map(str, value)) if isinstance(value, list) else value}" for name, value in settings.items()
    ]


def test_training_reaches_high_accuracy_and_saves_metrics_and_predictions(run):
    metrics = run.metrics
    assert metrics["test"]["accuracy"] >= 0.9
    assert set(metrics["baselines"]) == {"dummy", "linear_pixels"}
    assert metrics["baselines"]["dummy"]["accuracy"] == 0.5
    assert run.predictor.metadata.inputs == {"pixels": {"dtype": "uint8", "shape": [12, 10, 1]}}
    assert "auto" not in run.config.values()
    predictions = pd.read_csv(run.folder / "predictions.csv")
    assert (predictions["actual"] == predictions["predicted"]).mean() == pytest.approx(metrics["test"]["accuracy"])


def test_the_model_accepts_images_of_any_size(run):
    pixels = np.stack([stripes("horizontal"), stripes("vertical")])[..., None]
    expected = run.model.predict({"pixels": pixels}, verbose=0)
    assert expected.sum(axis=1) == pytest.approx(1, abs=1e-5)
    enlarged = np.repeat(np.repeat(pixels, 2, axis=1), 2, axis=2)
    predictions = run.model.predict({"pixels": enlarged}, verbose=0)
    assert (predictions.argmax(axis=1) == expected.argmax(axis=1)).all()
    np.testing.assert_allclose(run.predict_arrays({"pixels": pixels}), expected, atol=1e-6)
    # without a `training` argument
    np.testing.assert_allclose(np.asarray(run.model({"pixels": pixels})), expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["keras", "savedmodel"])
def test_exported_models_are_verified(run, tmp_path, kind):
    assert run.export(kind, tmp_path / f"model.{'keras' if kind == 'keras' else 'folder'}").exists()


@pytest.mark.slow
def test_predictions_have_the_paths_of_the_images(run, folder, tmp_path, capsys):
    assert (
        main(["predict", str(run.folder), str(folder / "horizontal"), "--out", str(tmp_path / "predictions.csv")]) == 0
    )
    capsys.readouterr()
    predictions = pd.read_csv(tmp_path / "predictions.csv")
    assert list(predictions) == ["path", "predicted", "probability_horizontal", "probability_vertical"]
    assert predictions["path"].tolist() == [f"{index:03}.png" for index in range(100)]
    assert (predictions["predicted"] == "horizontal").mean() > 0.9
    prediction = run.predict(folder / "vertical" / "007.png")
    assert prediction["predicted"].tolist() == ["vertical"]
    assert run.predict(np.asarray(Image.open(folder / "vertical" / "007.png"))[None]).equals(prediction)
    assert run.evaluate(folder)["test"]["accuracy"] > 0.9


def test_default_path_of_predictions(run, folder, capsys):
    assert main(["predict", str(run.folder), str(folder / "horizontal")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(folder / "horizontal.predicted.csv")
    (folder / "horizontal.predicted.csv").unlink()


@pytest.mark.slow
def test_regression_from_a_table_of_paths(folder, tmp_path):
    paths = sorted(folder.glob("*/*.png"))
    brightness = [float(np.asarray(Image.open(path)).mean()) for path in paths]
    pd.DataFrame({"file": paths, "brightness": brightness}).to_csv(tmp_path / "bright.csv", index=False)
    run = tfkit.train(
        "image",
        data=tmp_path / "bright.csv",
        path_column="file",
        target="brightness",
        mixup=0.2,
        color_jitter=0,
        out=tmp_path,
        quiet=True,
        **FAST,
    )
    assert run.metrics["task"] == "regression"
    assert set(run.predict(tmp_path / "bright.csv")) == {"predicted"}


TRANSFORMER = {"architecture": "transformer", "num_layers": 2, "units": 16, "filters": [16, 32, 64, 128]}
SLOW_SETTINGS = [
    {"architecture": "cnn", "loss": "cross_entropy", "cutmix": 1.0},
    {"loss": "focal", "balance_classes": True, "flip": "both"},
    {"translation": 0, "rotation": 0, "zoom": 0, "color_jitter": 0},
    {"image_size": 16, "color_mode": "rgb", "refit": True},
    {"precision": "mixed_float16"},
]


@pytest.mark.parametrize(
    "settings",
    [pytest.param(settings, marks=pytest.mark.slow) for settings in (TRANSFORMER, *SLOW_SETTINGS)],
    ids=str,
)
def test_training_works_with_each_setting(folder, tmp_path, settings):
    fast = {**FAST, "epochs": 1, "report": True, **settings}
    run = tfkit.train("image", data=folder, out=tmp_path, quiet=True, **fast)
    assert np.isfinite(run.metrics["val"]["log_loss"])
    assert run.read_json("analysis.json")["skipped"] == {}, "an analysis failed"


MIXED = {**FAST, "mixup": 0.3, "flip": "both", "dropout": 0.2}


@pytest.fixture(scope="module")
def in_memory_run(folder):
    """Run the checks of all recipes; return a run with images in memory."""
    return check_recipe("image", {**MIXED, "data": folder}, source=folder)


@pytest.mark.slow
def test_checks_of_all_recipes_pass(in_memory_run):
    assert in_memory_run.finished


def assert_same(run, expected):
    for weights, expected_weights in zip(run.model.get_weights(), expected.model.get_weights(), strict=True):
        np.testing.assert_array_equal(weights, expected_weights)
    assert run.metrics["test"] == expected.metrics["test"]
    assert run.provenance["data"] == expected.provenance["data"]


@pytest.mark.slow
def test_training_on_memory_mapped_images_is_bit_identical(folder, in_memory_run, tmp_path, monkeypatch):
    monkeypatch.setattr(memmap, "MEMORY_FRACTION", 0)
    assert_same(tfkit.train("image", **MIXED, data=folder, out=tmp_path, quiet=True), in_memory_run)


# invalid data and settings


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: [p.unlink() for p in f.rglob("*.png")], "There must be images"),
        (lambda f: [p.unlink() for p in (f / "b").iterdir()], "must have at least two classes"),
        (lambda f: [(f / "a" / f"{n}.png").write_bytes(b"") for n in range(2)], r"At most 1%.*2 of 40.*an empty file"),
        (lambda f: (f / "a" / "0.png").write_bytes(b"junk"), r"At most 1%.*a/0\.png \(not an image\)"),
        (lambda f: Image.new("1", (10_000, 10_000)).save(f / "a" / "0.png"), r"100 million pixels, more than 50"),
        (lambda f: Image.new("L", (8, 8)).save(f / "lost.png"), r"must be in the folder of its class"),
    ],
    ids=["empty", "one class", "zero bytes", "unreadable", "100 megapixels", "no class"],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_invalid_images_give_a_one_line_error_and_no_run(tmp_path, capsys, damage, message):
    for label in "ab":
        (tmp_path / "images" / label).mkdir(parents=True)
        for index in range(20):
            Image.fromarray(stripes("horizontal")).save(tmp_path / "images" / label / f"{index}.png")
    damage(tmp_path / "images")
    arguments = [f"data={tmp_path / 'images'}", *to_arguments(FAST), "--out", str(tmp_path / "runs")]
    assert main(["train", "image", *arguments]) == 2
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
        (
            {"architecture": "transformer", "filters": [8]},
            r"use the settings that are set.*Received: architecture=transformer filters=\[8\]",
        ),
        ({"units": 64}, "use the settings that are set.*Received: architecture=resnet units=64"),
        ({"architecture": "transformer", "units": 66}, "`units` must be a multiple of 4.*Received: 66"),
        ({"target": "path"}, "`target` and `path_column` must be two columns. Received: path for both"),
        ({"loss": "focal", "mixup": 0.2}, "loss=focal needs unmixed classes.*mixup=0.2 cutmix=0.0"),
        ({"refit": True, "learning_rate_schedule": "plateau"}, "needs validation rows, and refit=true leaves none"),
        ({"loss": "huber"}, "with task=classification it can be cross_entropy, label_smoothing, focal"),
        ({"group_column": "patient"}, "The table must have the column to split by"),
        ({"test_fraction": 0}, "must be above 0"),
    ],
)
def test_inconsistent_settings_are_errors(folder, tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        tfkit.train("image", data=folder, out=tmp_path / "runs", quiet=True, **settings)
    assert not (tmp_path / "runs").exists()


def test_metadata_is_json_with_counts_of_the_training_split(run):
    assert Metadata.from_dict(json.loads(json.dumps(run.predictor.metadata.to_dict()))) == run.predictor.metadata
    assert sum(run.predictor.metadata.target.counts.values()) == run.provenance["rows"][0]
