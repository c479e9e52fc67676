import pandas as pd
import pytest

from tfkit.data import holding
from tfkit.data.holding import Held
from tfkit.errors import UserError

INFO = {
    "target": {"name": "y"},
    "columns": {"size": {"kind": "number", "written": "1234.5", "signs": False}, "town": {"kind": "category"}},
    "inputs": {
        "size": {"column": "size", "part": "", "dtype": "float32"},
        "town": {"column": "town", "part": "", "dtype": "string", "vocabulary": ["Oslo"]},
    },
}


def frame(sizes, towns, **more):
    return pd.DataFrame({"size": pd.Series(sizes, dtype="str"), "town": pd.Series(towns, dtype="str"), **more})


def test_what_blocks_hold_is_said_once_of_all(caplog):
    held = Held(INFO)
    raw = held.raw(frame(["1", "2"], ["Oslo", "Bonn"]))
    assert raw["size"][:, 0].tolist() == [1, 2]
    held.raw(frame(["3", "much"], ["Bonn", "Aalen"], note="x"))
    assert not caplog.records
    held.say()
    assert [record.getMessage() for record in caplog.records] == [
        "Columns that were not there in training are not used: 'note'",
        "size: 1 of 4 cells are not finite numbers and count as missing, such as 'much'",
        "town: 3 cells hold words that training did not, or once only: 'Aalen', 'Bonn'",
    ]


def test_a_column_may_hold_nothing_of_what_it_held_in_one_block_but_not_in_all():
    held = Held(INFO)
    held.raw(frame(["many", "few"], ["Oslo", "Oslo"]))
    with pytest.raises(UserError, match=r"'size' must hold what it held in training, .* Received: 2 cells"):
        held.say()
    held.raw(frame(["1"], ["Oslo"]))
    held.say()


def test_words_without_end_are_counted_and_not_kept(monkeypatch):
    monkeypatch.setattr(holding, "UNSEEN", 3)
    held = Held(INFO)
    for start in range(0, 100, 10):
        held.raw(frame(["1"] * 10, [f"w{start + i}" for i in range(10)]))
    assert held.counts["town"] == 100
    assert len(held.unseen["town"]) == 3
