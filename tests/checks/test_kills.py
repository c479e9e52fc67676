"""Twenty kills, four of each page, each in another place: what goes on ends with the bits of what never stopped."""

import pytest

import tfkit
from tfkit.checks.differences import first_difference
from tfkit.checks.processes import process, run_in, straight

PAGES = {
    "tabular": {"body": "mlp", "units": 8, "bins": 8, "batch_size": 512, "dropout": 0.2},
    "image": {"filters": [4, 8], "batch_size": 128},
    "text": {"encoder": "none", "ngrams": "trained", "num_ngrams": 500, "batch_size": 256, "refit": False},
    "series": {"body": "convolution", "units": 4, "batch_size": 32, "refit": False},
    "forecast": {"batch_size": 128, "refit": False},
}
KILLS = [
    {"where": "reading"},
    {"where": "step", "save": 2, "step": 4},
    {"where": "saving", "save": 1, "step": 2},
    {"where": "between"},
]


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted(PAGES))
def test_killed_in_four_places_a_run_ends_with_the_same_bits(page, tmp_path):
    recipe, settings = str(tfkit.load(page).page), {"epochs": 2, **PAGES[page]}
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
