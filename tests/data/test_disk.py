import json
import os

import numpy as np
import pandas as pd
import pytest

import tfkit
from tfkit.data import disk, learning, parquet, stored
from tfkit.data.disk import DiskTable, too_large
from tfkit.data.files import read_frame, write_frame
from tfkit.data.learning import learn_table
from tfkit.data.preparation import prepare_table
from tfkit.data.splitting import split_table
from tfkit.data.tables import load_table, table_rows
from tfkit.data.targets import learn_target
from tfkit.errors import UserError

ROWS = 900


def table(rows=ROWS, seed=0):
    """Every kind of column, some cells missing, some rows twice and some without a target."""
    random = np.random.default_rng(seed)
    amount = random.normal(size=rows).round(3)
    frame = pd.DataFrame(
        {
            "row": np.arange(rows),
            "amount": amount,
            "count": pd.Series(random.integers(0, 9, rows), dtype="Int64"),
            "town": random.choice(["Oslo", "Rome ", "Lima", "?"], rows),
            "code": random.choice(["1,200", "15,000"], rows),
            "day": pd.to_datetime("2024-01-01") + pd.to_timedelta(random.integers(0, 400, rows), unit="D"),
            "member": random.random(rows) < 0.5,
            "bought": np.where(amount + random.normal(size=rows) / 2 > 0, "yes", "no"),
        }
    )
    frame.loc[5, "count"] = pd.NA
    frame.loc[[3, rows - 2], "amount"] = np.nan
    frame.loc[rows // 2, "bought"] = "?"
    frame.loc[rows // 3, "town"] = "Bonn"
    return pd.concat([frame, frame.iloc[10:30]], ignore_index=True)


def in_folder(folder, frame, suffix, files=3):
    folder.mkdir()
    for number, start in enumerate(range(0, len(frame), -(-len(frame) // files))):
        write_frame(frame.iloc[start : start - (-len(frame) // files)], folder / f"part-{number}{suffix}")
    return folder


@pytest.fixture
def tiny(monkeypatch):
    """No table is small enough for memory, and blocks have few rows."""
    monkeypatch.setattr(disk, "SHARE", 0)
    monkeypatch.setattr(parquet, "ROWS", 100)


def learnt(path, **settings):
    """What a page does with a table, to what is learnt of it."""
    frame, test, said = load_table(path, "bought", **settings)
    target = learn_target(frame["bought"])
    parts = split_table(frame, target, test=test, val_fraction=0.2, test_fraction=0.2, seed=0)
    info = learn_table(parts[0], target, kinds={"category": ["count"]}, said=said)
    return frame, info, parts


def everything(split):
    x, y, _ = split.take(np.arange(len(split)))
    return {**{name: np.asarray(tensor) for name, tensor in x.items()}, "y": np.asarray(y)}


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl", ".csv.gz"])
def test_what_is_learnt_on_disk_is_what_memory_learns(suffix, tmp_path, monkeypatch):
    path = in_folder(tmp_path / "rows", table(), suffix)
    _, told, _ = learnt(path)
    monkeypatch.setattr(disk, "SHARE", 0)
    monkeypatch.setattr(parquet, "ROWS", 100)
    frame, info, parts = learnt(path)
    assert all(isinstance(one, DiskTable) for one in (frame, *parts))
    assert json.dumps(info) == json.dumps(told)
    assert info["cleaning"][0].startswith("1 of 920 rows left out: no bought; 1 say '?'")
    assert info["cleaning"][1:] == ["20 of 920 rows left out: the same as another row"]


def test_what_is_prepared_on_disk_is_what_memory_gives(tmp_path, monkeypatch):
    path = in_folder(tmp_path / "rows", table(), ".parquet")
    _, info, parts = learnt(path)
    prepare = prepare_table(info)
    inside = [table_rows(part, info, prepare) for part in parts]
    monkeypatch.setattr(disk, "SHARE", 0)
    monkeypatch.setattr(parquet, "ROWS", 300)
    outside = [table_rows(part, info, prepare) for part in learnt(path)[2]]
    for one, other in zip(inside, outside, strict=True):
        assert isinstance(other, stored.Stored)
        for (name, values), same in zip(everything(one).items(), everything(other).values(), strict=True):
            np.testing.assert_allclose(values, same, rtol=3e-7, err_msg=name)  # a block's end turns a last bit
        numbers = np.array([7, 2, 2, 90])
        for name, values in one.raw(numbers).items():
            np.testing.assert_array_equal(values, other.raw(numbers)[name])
        np.testing.assert_array_equal(one.names, other.names)
    both = outside[0].joined(outside[1]).weighted(np.ones(len(outside[0]) + len(outside[1]), "float32"))
    np.testing.assert_array_equal(everything(both)["numbers"][-1], everything(outside[1])["numbers"][-1])
    np.testing.assert_array_equal(both.raw(np.array([len(both) - 1]))["town"], outside[1].raw(np.array([-1]))["town"])


def test_one_file_is_read_as_a_folder_is(tmp_path, tiny):
    write_frame(table(), tmp_path / "rows.parquet")
    _, info, parts = learnt(tmp_path / "rows.parquet")
    assert sum(map(len, parts)) == 899
    assert info["columns"]["row"]["kind"] == "identifier"


def test_a_test_table_and_rows_that_stand_in_both(tmp_path, monkeypatch):
    path = in_folder(tmp_path / "rows", table(), ".csv")
    write_frame(table().iloc[100:150], tmp_path / "test.csv")
    _, told, parts = learnt(path, test_table=tmp_path / "test.csv")
    monkeypatch.setattr(disk, "SHARE", 1e-9)
    monkeypatch.setattr(disk, "too_large", lambda table: table == path)
    _, info, lying = learnt(path, test_table=tmp_path / "test.csv")
    assert json.dumps(info) == json.dumps(told)
    assert [len(part) for part in lying] == [len(part) for part in parts]
    assert any("stand in the test table too" in words for words in info["cleaning"])


def test_rows_that_are_equal_but_for_what_numbers_them_stay_together(tmp_path, tiny):
    frame = pd.DataFrame({"row": np.arange(600), "a": np.arange(600.0), "b": "x", "y": ["u", "v"] * 300})
    frame.loc[300:349, ["a", "y"]] = frame.loc[:49, ["a", "y"]].to_numpy()
    write_frame(frame, tmp_path / "rows.parquet")
    found, _, _ = load_table(tmp_path / "rows.parquet", "y")
    parts = split_table(found, learn_target(found["y"]), test=None, val_fraction=0.3, test_fraction=0.3, seed=0)
    where = np.concatenate([np.full(len(part), number) for number, part in enumerate(parts)])
    where = where[np.argsort(np.concatenate([part.places for part in parts]))]
    np.testing.assert_array_equal(where[:50], where[300:350])


def test_of_many_rows_some_are_learnt_from_and_all_words_are_known(tmp_path, tiny, monkeypatch):
    rows = 20_000
    frame = table(rows)
    write_frame(frame, tmp_path / "rows.parquet")
    with monkeypatch.context() as patch:
        patch.setattr(disk, "SHARE", 1)
        _, told, _ = learnt(tmp_path / "rows.parquet")
    monkeypatch.setattr(parquet, "ROWS", 5000)
    monkeypatch.setattr(disk, "ROWS", 4000)
    _, info, _ = learnt(tmp_path / "rows.parquet")
    drawn = "what is learnt of numbers and dates is learnt of 4,000 training rows drawn by chance"
    assert info["cleaning"][-1] == drawn
    assert info["target"] == told["target"]
    assert info["sizes"] == told["sizes"]
    assert [rule.get("vocabulary") for rule in info["inputs"].values()] == [
        rule.get("vocabulary") for rule in told["inputs"].values()
    ]
    # Dvoretzky, Kiefer and Wolfowitz: of n rows no share is off by more than sqrt(ln(2 / p) / 2 n), but with chance p
    bound = np.sqrt(np.log(2 / 1e-9) / (2 * 4000))
    amounts = np.sort(frame["amount"].dropna())
    assert abs(np.searchsorted(amounts, info["inputs"]["amount"]["center"]) / len(amounts) - 0.5) < bound


def test_words_of_a_very_varied_column_that_were_seen_once_are_let_go(tmp_path, tiny, monkeypatch):
    words = [f"w{i}" for i in range(2000)] + ["often"] * 4000
    write_frame(pd.DataFrame({"a": words, "b": np.arange(6000.0) % 7, "y": ["u", "v"] * 3000}), tmp_path / "t.parquet")
    monkeypatch.setattr(disk, "ROWS", 1000)
    monkeypatch.setattr(learning, "WORDS", 300)
    found, _, _ = load_table(tmp_path / "t.parquet", "y", duplicates="keep")
    info = learn_table(found, learn_target(found["y"]), kinds={"category": ["a"]})
    assert info["inputs"]["a"]["vocabulary"] == ["often"]


def test_whole_numbers_that_no_float_can_tell_apart_are_words_in_every_block(tmp_path, tiny):
    frame = pd.DataFrame({"a": np.r_[np.arange(500), 2**60 + np.arange(500)], "y": ["u", "v"] * 500})
    write_frame(frame, tmp_path / "rows.parquet")
    found, _, _ = load_table(tmp_path / "rows.parquet", "y")
    assert found["a"].tolist() == [str(value) for value in frame["a"]]


def test_a_named_index_of_pandas_is_a_column(tmp_path, tiny):
    frame = table().set_index("town")
    frame.to_parquet(tmp_path / "rows.parquet")
    found, _, _ = load_table(tmp_path / "rows.parquet", "bought")
    assert found.columns == list(read_frame(tmp_path / "rows.parquet"))


def test_a_file_sorted_by_its_label_trains_to_the_score_of_the_shuffled_one(tmp_path, tiny):
    import keras

    frame = table(1500, seed=1).drop(columns="row")
    frame, losses = frame[frame["bought"] != "?"], []
    for name, rows in {"shuffled": frame, "sorted": frame.sort_values("bought", kind="stable")}.items():
        write_frame(rows, tmp_path / f"{name}.parquet")
        _, info, (train, val, _) = learnt(tmp_path / f"{name}.parquet")
        prepare = prepare_table(info)
        train, val = (table_rows(part, info, prepare) for part in (train, val))
        keras.utils.set_random_seed(0)
        inputs = tfkit.inputs(train)
        model = keras.Model(inputs, keras.layers.Dense(2)(inputs["numbers"]))
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.optimizer.learning_rate = 0.05
        losses.append(tfkit.fit(model, train, epochs=4, validation_data=val).history["val_loss"][-1])
    assert max(losses) < 0.5  # it would be over 0.69, that of no knowledge, where each step sees one class alone
    assert abs(losses[0] - losses[1]) < 0.05


@pytest.mark.slow
def test_a_page_trains_on_a_table_that_stays_on_disk(tmp_path, tiny):
    path = in_folder(tmp_path / "rows", table(1500, seed=1), ".csv")
    run = tfkit.train(
        "tabular",
        table=path,
        target="bought",
        epochs=4,
        body="mlp",
        units=16,
        batch_size=32,
        learning_rate=0.01,
        refit=True,
        class_weights=True,
        out=tmp_path,
        quiet=True,
    )
    assert run.metrics["test"]["roc_auc"] > 0.85
    assert run.metrics["baselines"]["boosted_trees"]["roc_auc"] > 0.8


def test_what_was_read_is_let_go(tmp_path, tiny):
    import pyarrow as pa

    lying = disk.opened(in_folder(tmp_path / "t", table(9 * ROWS), ".parquet"), "bought")[0]
    before = pa.total_allocated_bytes()
    assert sum(len(block) for block in lying.blocks()) == len(lying)
    assert pa.total_allocated_bytes() - before < 20_000  # all of it is 300,000


def test_nothing_is_left_of_the_files_that_it_made(tmp_path, tiny, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    path = in_folder(tmp_path / "rows", table(), ".csv")
    _, info, parts = learnt(path)
    rows = table_rows(parts[0], info, prepare_table(info))
    assert os.listdir(tmp_path / "cache") == []  # while they are used: no kill leaves any
    assert len(everything(rows)["y"]) == len(rows)


def test_a_column_of_which_no_cell_is_read_is_said(tmp_path, tiny, caplog):
    write_frame(table(), tmp_path / "rows.csv")
    _, info, _ = learnt(tmp_path / "rows.csv")
    write_frame(table().assign(code="none"), tmp_path / "other.csv")
    caplog.clear()
    found, _, _ = load_table(tmp_path / "other.csv", "bought")
    table_rows(found, info, prepare_table(info))
    assert [words for words in caplog.messages if "none of" in words] == [
        "code: none of the 920 cells is what the training cells are; all count as missing"
    ]


def test_how_large_a_table_is_is_told_by_its_files(tmp_path, monkeypatch):
    path = in_folder(tmp_path / "rows", table(), ".parquet")
    assert not too_large(path)
    monkeypatch.setattr(disk, "SHARE", 0)
    assert too_large(path)
    assert not too_large(table())
    assert not too_large(tmp_path / "none.csv")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 and no more")
    assert not too_large(tmp_path / "broken.parquet")


@pytest.mark.parametrize("share", [0, 1])
def test_files_of_a_folder_must_have_the_same_columns(share, tmp_path, monkeypatch):
    monkeypatch.setattr(disk, "SHARE", share)
    for suffix in (".csv", ".parquet"):
        path = in_folder(tmp_path / f"rows{suffix}", table(), suffix)
        write_frame(table().drop(columns="town"), path / f"part-9{suffix}")
        with pytest.raises(UserError, match=r"All files in a folder must have the same columns. Received: .*part-9"):
            load_table(path, "bought")


def test_files_of_a_folder_must_hold_the_same(tmp_path, tiny):
    path = in_folder(tmp_path / "rows", table(), ".parquet")
    write_frame(table().assign(amount="much"), path / "part-9.parquet")
    with pytest.raises(UserError, match=r"must hold the same in each column. Received: 'amount', numbers in .* words"):
        load_table(path, "bought")


def test_what_cannot_be_read_in_blocks_is_said(tmp_path, tiny):
    (tmp_path / "rows.csv").write_text('a,y\n1,"2\n')
    with pytest.raises(UserError, match="A quote must be closed"):
        load_table(tmp_path / "rows.csv", "y")
    (tmp_path / "rows.jsonl").write_text('{"a": 1, "y": 1}\n{"a": "b", "y": 2}\n')
    with pytest.raises(UserError, match="too large for memory must be Parquet, CSV or JSON lines of one type a column"):
        load_table(tmp_path / "rows.jsonl", "y")


def test_a_folder_without_tables_is_refused(tmp_path):
    (tmp_path / "note.md").write_text("no table")
    with pytest.raises(UserError, match=r"a folder with files of .csv .* a folder without table files"):
        load_table(tmp_path, "y")


def test_the_target_must_be_there(tmp_path, tiny):
    with pytest.raises(UserError, match="must have the column 'paid'"):
        load_table(in_folder(tmp_path / "rows", table(), ".csv"), "paid")
