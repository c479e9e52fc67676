"""Targets of several tags from end to end, for each kind of data: train, predict, score, export, report."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

import tfkit
from tfkit.data.files.read import read_frame
from tfkit.testing import check_recipe

RNG = np.random.default_rng(0)
NAMES = ("trend", "wave", "bias")
ROWS = 240
IS_TAG = RNG.random((ROWS, 3)) < [0.6, 0.4, 0.2]
TAGS = [[name for name, is_tag in zip(NAMES, row, strict=True) if is_tag] for row in IS_TAG]
TEXTS = ["|".join(tags) or "none" for tags in TAGS]


@pytest.fixture
def tables(tmp_path):
    """A source, its target and settings of each recipe; every tag can be seen in the inputs of its rows."""
    noise = RNG.normal(size=(ROWS, 3)) * 0.2
    table = pd.DataFrame({f"x{i}": IS_TAG[:, i] + noise[:, i] for i in range(3)} | {"labels": TEXTS})
    table.to_csv(tmp_path / "table.csv", index=False)
    texts = [
        " ".join(RNG.permutation([*tags, *RNG.choice(["the", "of", "and"], 3), f"no{i}"]))
        for i, tags in enumerate(TAGS)
    ]
    pd.DataFrame({"text": texts, "labels": TAGS}).to_json(tmp_path / "texts.jsonl", orient="records", lines=True)
    steps = np.arange(20)
    shapes = np.stack([steps / 10, np.sin(steps), np.full(20, 3.0)])
    series = IS_TAG.astype(float) @ shapes + RNG.normal(size=(ROWS, 20)) * 0.1
    pd.DataFrame(series, columns=[f"t{i}" for i in range(20)]).assign(labels=TEXTS).to_csv(
        tmp_path / "series.csv", index=False
    )
    pixels = np.repeat((200 * IS_TAG[:, None, None, :]).astype("uint8"), 8, axis=1).repeat(8, axis=2)
    pixels += RNG.integers(0, 40, pixels.shape).astype("uint8")
    for row, image in enumerate(pixels):
        Image.fromarray(image).save(tmp_path / f"{row}.png")
    paths = pd.DataFrame({"path": [f"{row}.png" for row in range(ROWS)], "labels": TEXTS})
    paths.to_csv(tmp_path / "images.csv", index=False)
    small = {"target": "labels", "epochs": 8, "batch_size": 16, "learning_rate": 0.01}
    return {
        "tabular": {"data": tmp_path / "table.csv", **small},
        "text": {"data": tmp_path / "texts.jsonl", "units": 16, **small},
        "series": {"data": tmp_path / "series.csv", **small},
        "image": {"data": tmp_path / "images.csv", "filters": [8, 16], "mixup": 0.2, **small},
    }


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["tabular", "text", "series", "image"])
def test_a_run_from_end_to_end(recipe, tables, tmp_path):
    settings = tables[recipe]
    run = tfkit.train(recipe, **settings, out=tmp_path / "runs", quiet=True)
    assert run.metrics["task"] == "multilabel"
    assert run.metrics["test"]["f1_micro"] > 0.9 > run.metrics["baselines"]["dummy"]["f1_micro"]
    assert set(run.metrics["classes"]) >= set(NAMES)
    assert any(
        "each tag is predicted" in note for note in json.loads((run.folder / "metadata.json").read_text())["notes"]
    )
    scores = run.evaluate(settings["data"])["test"]
    assert scores["f1_micro"] > 0.9
    predicted = run.predict(settings["data"])["predicted"].tolist()
    assert set(predicted[0] if recipe == "text" else predicted[0].split("|")) == set(TAGS[0])
    run.predict_file(settings["data"], tmp_path / "out.csv")
    assert len(read_frame(tmp_path / "out.csv")) == ROWS
    assert run.export("onnx", tmp_path / "model.onnx").exists()
    assert "Precision and recall of tags" in run.report().read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_recipe_keeps_its_contract(tables):
    """Same seed, resume, save and load, replicas."""
    check_recipe("tabular", tables["tabular"] | {"epochs": 2})
