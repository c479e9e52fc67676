"""Kill runs of each recipe at four points: resumed, they are bit-identical to uninterrupted runs."""

import gzip
import shutil
import zipfile

import pytest

import tfkit
from tfkit.verification.run_diff import first_difference
from tfkit.verification.subprocesses import find_run, reference_run, run_worker

RECIPES = {
    "tabular": {"architecture": "mlp", "units": 8, "num_bins": 8, "batch_size": 32, "dropout": 0.2, "refit": False},
    "image": {"filters": [4, 8], "batch_size": 32, "refit": False},
    "text": {"architecture": "none", "ngram_model": "embedding", "max_ngrams": 500, "batch_size": 32, "refit": False},
    "series": {"architecture": "cnn", "units": 4, "batch_size": 16, "refit": False},
    "forecast": {"batch_size": 32, "refit": False},
}
SAMPLES = {  # file, number of header lines, slice of the data lines
    "tabular": ("adult.csv.gz", 1, slice(0, None, 80)),
    "text": ("reviews_zh.csv.gz", 1, slice(0, None, 13)),
    "series": ("japanese_vowels.ts.gz", 8, slice(0, None, 4)),
    "forecast": ("co2.csv.gz", 1, slice(800)),
}
KILLS = [
    {"where": "reading"},
    {"where": "step", "save": 2, "step": 4},
    {"where": "saving", "save": 1, "step": 2},
    {"where": "between"},
]


def small_sample(name, folder):
    """Write a few rows of the sample data of a recipe, and return the settings for them."""
    if name == "image":
        path = folder / "small.zip"
        with zipfile.ZipFile(tfkit.sample_path("digits.zip")) as archive, zipfile.ZipFile(path, "w") as small:
            for member in [member for member in archive.namelist() if not member.endswith("/")][::9]:
                small.writestr(member, archive.read(member))
        return {"data": str(path)}
    file_name, num_header_lines, selection = SAMPLES[name]
    path = folder / file_name.removesuffix(".gz")
    with gzip.open(tfkit.sample_path(file_name)) as file:
        lines = file.readlines()
    path.write_bytes(b"".join(lines[:num_header_lines] + lines[num_header_lines:][selection]))
    target = {} if name == "forecast" else {"target": tfkit.load_recipe(name).Config.model_fields["target"].default}
    return {"data": str(path), **target}


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(RECIPES))
def test_run_killed_at_four_points_is_bit_identical(name, tmp_path):
    recipe = shutil.copy(tfkit.load_recipe(name).path, tmp_path)  # a copy, in case the file changes during the test
    settings = {"epochs": 2, **RECIPES[name], **small_sample(name, tmp_path)}
    reference, out = reference_run(recipe, settings, tmp_path), tmp_path / "killed"
    results = []
    for kill in KILLS:
        task = {"resume": str(find_run(out))} if results else {"config": settings, "out": str(out)}
        assert run_worker(do="train", recipe=recipe, kill=kill, **task) == -9
        results.append((kill["where"], sorted(path.suffix for path in find_run(out).glob("checkpoints/*"))))
    run_worker(do="train", recipe=recipe, resume=str(find_run(out)))
    assert first_difference(reference, find_run(out)) == ""
    assert [where for where, _ in results] == ["reading", "step", "saving", "between"]
    suffixes = dict(results)
    assert suffixes["reading"] == []
    assert suffixes["step"] == [".npz"]
    assert ".part" in suffixes["saving"]  # an incomplete checkpoint, which is ignored
    assert ".npz" in suffixes["between"]
