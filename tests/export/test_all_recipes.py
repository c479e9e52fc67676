"""Models of every included recipe make the same predictions in onnxruntime and LiteRT as in Keras."""

import pytest

import tfkit

SETTINGS = {
    "tabular": {"architecture": "tabm", "units": 8, "num_bins": 8, "ensemble_size": 2},
    "image": {"filters": [4, 8]},
    "text": {"architecture": "lstm", "units": 8, "max_ngrams": 500},
    "series": {"architecture": "inception", "units": 4, "num_layers": 3},
    "forecast": {"architecture": "lstm", "units": 8},
}
NUMERIC_RECIPES = {"series", "forecast"}  # numeric inputs, and only operations that every runtime supports


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_every_recipe_can_be_exported(name, tmp_path):
    settings = {"epochs": 1, "refit": False, **SETTINGS[name]}
    run = tfkit.train(name, out=tmp_path, skip_test=True, report=False, quiet=True, **settings)
    for format in ("onnx", "litert"):
        assert run.export(format).is_file()
        measurements = run.exports[format]
        assert measurements["content"] == ("raw rows" if name in NUMERIC_RECIPES else "the trained part")
        assert measurements["largest_difference"] < 1e-3
    assert run.path("inputs.json").exists() == (name not in NUMERIC_RECIPES)
