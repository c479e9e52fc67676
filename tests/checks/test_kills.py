"""Twenty kills, four of each page, each in another place: what goes on ends with the bits of what never stopped."""

import gzip
import shutil
import zipfile

import pytest

import tfkit
from tfkit.checks.differences import first_difference
from tfkit.checks.processes import process, run_in, straight

PAGES = {
    "tabular": {"body": "mlp", "units": 8, "bins": 8, "batch_size": 32, "dropout": 0.2, "refit": False},
    "image": {"filters": [4, 8], "batch_size": 32, "refit": False},
    "text": {"encoder": "none", "ngrams": "trained", "num_ngrams": 500, "batch_size": 32, "refit": False},
    "series": {"body": "convolution", "units": 4, "batch_size": 16, "refit": False},
    "forecast": {"batch_size": 32, "refit": False},
}
SAMPLES = {  # the file, lines of its header, and which of the others
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


def few(page, folder):
    """Few rows of a page's sample."""
    if page == "image":
        path = folder / "few.zip"
        with zipfile.ZipFile(tfkit.sample("digits.zip")) as whole, zipfile.ZipFile(path, "w") as part:
            for name in [name for name in whole.namelist() if not name.endswith("/")][::9]:
                part.writestr(name, whole.read(name))
        return {"pictures": str(path)}
    name, header, some = SAMPLES[page]
    path = folder / name.removesuffix(".gz")
    with gzip.open(tfkit.sample(name)) as whole:
        lines = whole.readlines()
    path.write_bytes(b"".join(lines[:header] + lines[header:][some]))
    named = {} if page == "forecast" else {"target": tfkit.load(page).Config.model_fields["target"].default}
    return {"table": str(path), **named}


@pytest.mark.long
@pytest.mark.parametrize("page", sorted(PAGES))
def test_killed_in_four_places_a_run_ends_with_the_same_bits(page, tmp_path):
    recipe = shutil.copy(tfkit.load(page).page, tmp_path)  # which nobody changes meanwhile
    settings = {"epochs": 2, **PAGES[page], **few(page, tmp_path)}
    first, out = straight(recipe, settings, tmp_path), tmp_path / "killed"
    fell = []
    for kill in KILLS:
        task = {"resume": str(run_in(out))} if fell else {"settings": settings, "out": str(out)}
        assert process(do="train", recipe=recipe, kill=kill, **task) == -9
        fell.append((kill["where"], sorted(path.suffix for path in run_in(out).glob("checkpoints/*"))))
    process(do="train", recipe=recipe, resume=str(run_in(out)))
    assert first_difference(first, run_in(out)) == ""
    assert [place for place, _ in fell] == ["reading", "step", "saving", "between"]
    saved = dict(fell)
    assert saved["reading"] == []
    assert saved["step"] == [".npz"]
    assert ".part" in saved["saving"]  # half of a checkpoint, which is passed over
    assert ".npz" in saved["between"]
