"""Every page that ships leaves a model that onnxruntime and LiteRT answer with as Keras does."""

import pytest

import tfkit

SMALL = {
    "tabular": {"body": "ensemble", "units": 8, "bins": 8, "members": 2},
    "image": {"filters": [4, 8]},
    "text": {"encoder": "lstm", "units": 8, "num_ngrams": 500},
    "series": {"body": "inception", "units": 4, "depth": 3},
    "forecast": {"body": "lstm", "units": 8},
}
WHOLE = {"series", "forecast"}  # numbers from the raw row to the answer, and no operation that a runtime has not


@pytest.mark.long
@pytest.mark.parametrize("page", sorted(SMALL))
def test_every_page_leaves_a_model_for_other_runtimes(page, tmp_path):
    settings = {"epochs": 1, "refit": False, **SMALL[page]}
    run = tfkit.train(page, out=tmp_path, test=False, report=False, quiet=True, **settings)
    for format in ("onnx", "litert"):
        assert run.export(format).is_file()
        found = run.exports[format]
        assert found["holds"] == ("raw rows" if page in WHOLE else "the trained part")
        assert found["largest_difference"] < 1e-3
    assert run.path("inputs.json").exists() == (page not in WHOLE)
