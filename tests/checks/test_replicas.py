"""The proof that replicas train what one device trains: what it says, and that it sees a page that differs."""

import json

import numpy as np
import pandas as pd
import pytest

import tfkit
from tfkit.checks import replicas

PAGE = tfkit.load("tabular").page.read_text(encoding="utf-8")
TINY = {"units": 8, "members": 2, "bins": 8, "batch_size": 32, "refit": False}
BATCH_MEAN = """

@keras.saving.register_keras_serializable("mine")
class FromTheMean(keras.layers.Layer):
    def call(self, x):
        return x - keras.ops.mean(x, axis=0, keepdims=True)


def centred(config, data):
    inner = model(config, data)
    outer = keras.Model(inner.input, FromTheMean()(inner.output), name="mine")
    outer.compile(inner.optimizer, inner.loss)
    return outer


recipe = recipe.replace(model=centred)
"""


def put_down(path, *, weight=1.0, loss=0.5, drawn="", refused=""):
    """What `steps` puts down of one case with one weight."""
    told = {"names": ["dense/kernel"], "refused": refused, "drawn": drawn, "history": {"loss": [0.7, loss]}}
    arrays = {f"0 {epoch} 0": np.full(3, 1.0 if epoch < 2 else weight) for epoch in range(replicas.EPOCHS + 1)}
    np.savez(path, **arrays, **{"case 0": np.frombuffer(json.dumps(told).encode(), "uint8")})
    return path


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({}, ""),
        ({"weight": 1.00005}, ""),
        ({"weight": 1.01}, "dense/kernel after 8 steps, by 0.01"),
        ({"weight": np.nan}, "dense/kernel after 8 steps, by nan"),
        ({"loss": 0.6}, "loss: 0.5 on one device, 0.6 on several"),
        ({"refused": "not this one"}, "refused: not this one"),
    ],
)
def test_it_says_where_two_sides_differ_first(other, says, tmp_path):
    one, two = put_down(tmp_path / "one.npz"), put_down(tmp_path / "two.npz", **other)
    assert replicas.differences(one, two) == [says]


def test_what_draws_random_numbers_cannot_be_seen(tmp_path):
    one, two = put_down(tmp_path / "one.npz", drawn="noise/seed"), put_down(tmp_path / "two.npz", weight=2.0)
    assert replicas.differences(one, two)[0].startswith("not to be seen: noise/seed draws random numbers in training")


@pytest.mark.long
@pytest.mark.parametrize(("more", "where"), [("", ""), (BATCH_MEAN, " after 4 steps, by ")], ids=["same", "differs"])
def test_a_page_whose_rows_depend_on_their_batch_is_seen(more, where, tmp_path):
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"x": random.normal(size=300), "word": random.choice(["a", "b"], 300)})
    frame.assign(y=frame["x"] + (frame["word"] == "a")).to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "mine.py").write_text(PAGE + more, encoding="utf-8")
    settings = {**TINY, "table": str(tmp_path / "t.csv"), "target": "y"}
    proof = replicas.two_replicas(str(tmp_path / "mine.py"), settings, tmp_path)
    assert proof.says == "two replicas train what one device trains"
    assert (where in proof.where) if where else proof.holds
