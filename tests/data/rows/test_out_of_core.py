"""Tests of tables larger than memory: equal to those in memory."""

import json
import os

import numpy as np
import pandas as pd
import pytest

import tfkit
from tfkit.data import tabular
from tfkit.data.files.formats import parquet
from tfkit.data.files.read import read_frame
from tfkit.data.files.write import write_frame
from tfkit.data.rows import out_of_core
from tfkit.data.rows.out_of_core import OutOfCoreTable, too_large
from tfkit.data.tabular import infer_target, schema
from tfkit.datasets import memmap
from tfkit.errors import UserError

ROWS = 900


def table(rows=ROWS, seed=0):
    """A table with all kinds of columns, missing cells and duplicated rows."""
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
    """No table fits into memory, and chunks have few rows."""
    monkeypatch.setattr(out_of_core, "MEMORY_FRACTION", 0)
    monkeypatch.setattr(parquet, "CHUNK_ROWS", 100)


def fit(path, **settings):
    """Load and split a table and fit its schema, as a recipe does."""
    frame, test, messages = tabular.load(path, "bought", **settings)
    target = infer_target(frame["bought"])
    splits = tabular.split(frame, target, test_data=test, val_fraction=0.2, test_fraction=0.2, seed=0)
    metadata = tabular.fit_schema(splits[0], target, categorical_columns=["count"], messages=messages)
    return frame, metadata, splits


def all_rows(dataset):
    x, y, _ = dataset.take(np.arange(len(dataset)))
    return {**{name: np.asarray(tensor) for name, tensor in x.items()}, "y": np.asarray(y)}


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl", ".csv.gz"])
def test_schema_of_disk_table_equals_schema_in_memory(suffix, tmp_path, monkeypatch):
    path = in_folder(tmp_path / "rows", table(), suffix)
    _, expected, _ = fit(path)
    monkeypatch.setattr(out_of_core, "MEMORY_FRACTION", 0)
    monkeypatch.setattr(parquet, "CHUNK_ROWS", 100)
    frame, metadata, splits = fit(path)
    assert all(isinstance(rows, OutOfCoreTable) for rows in (frame, *splits))
    assert json.dumps(metadata.to_dict()) == json.dumps(expected.to_dict())
    assert metadata.notes[0].startswith("1 of 920 rows dropped: bought is missing; 1 contain '?'")
    assert metadata.notes[1:] == [
        "20 of 920 rows dropped: equal to another row",
        "columns that are not used: row (identifier)",
    ]


def test_dataset_of_disk_table_equals_dataset_in_memory(tmp_path, monkeypatch):
    path = in_folder(tmp_path / "rows", table(), ".parquet")
    _, metadata, splits = fit(path)
    preprocessor = tabular.make_preprocessor(metadata)
    in_memory = [tabular.make_dataset(rows, metadata, preprocessor) for rows in splits]
    monkeypatch.setattr(out_of_core, "MEMORY_FRACTION", 0)
    monkeypatch.setattr(parquet, "CHUNK_ROWS", 300)
    on_disk = [tabular.make_dataset(rows, metadata, preprocessor) for rows in fit(path)[2]]
    for expected, dataset in zip(in_memory, on_disk, strict=True):
        assert isinstance(dataset, memmap.MemmapDataset)
        for (name, values), actual in zip(all_rows(expected).items(), all_rows(dataset).values(), strict=True):
            np.testing.assert_allclose(
                values, actual, rtol=3e-7, err_msg=name
            )  # the chunk size may change the last bit
        indices = np.array([7, 2, 2, 90])
        for name, values in expected.raw_inputs(indices).items():
            np.testing.assert_array_equal(values, dataset.raw_inputs(indices)[name])
        np.testing.assert_array_equal(expected.row_ids, dataset.row_ids)
    train, val, _ = on_disk
    joined = train.concatenate(val).with_sample_weight(np.ones(len(train) + len(val), "float32"))
    np.testing.assert_array_equal(all_rows(joined)["numbers"][-1], all_rows(val)["numbers"][-1])
    np.testing.assert_array_equal(
        joined.raw_inputs(np.array([len(joined) - 1]))["town"], val.raw_inputs(np.array([-1]))["town"]
    )


def test_single_file_is_read_like_a_folder(tmp_path, tiny):
    write_frame(table(), tmp_path / "rows.parquet")
    _, metadata, splits = fit(tmp_path / "rows.parquet")
    assert sum(map(len, splits)) == 899
    assert metadata.columns["row"]["kind"] == "identifier"


def test_rows_of_a_test_table_are_dropped(tmp_path, monkeypatch):
    path = in_folder(tmp_path / "rows", table(), ".csv")
    write_frame(table().iloc[100:150], tmp_path / "test.csv")
    _, expected, splits = fit(path, test_data=tmp_path / "test.csv")
    monkeypatch.setattr(out_of_core, "MEMORY_FRACTION", 1e-9)
    monkeypatch.setattr(out_of_core, "too_large", lambda table: table == path)
    _, metadata, disk_splits = fit(path, test_data=tmp_path / "test.csv")
    assert json.dumps(metadata.to_dict()) == json.dumps(expected.to_dict())
    assert [len(rows) for rows in disk_splits] == [len(rows) for rows in splits]
    assert any("also in the test table" in message for message in metadata.notes)


@pytest.mark.reading("Labels and tags", "read")
def test_boolean_labels_stay_boolean(tmp_path, tiny):
    values = np.arange(300) % 3 == 0
    write_frame(pd.DataFrame({"x": np.arange(300.0), "bought": values}), tmp_path / "rows.parquet")
    frame, _, _ = tabular.load(tmp_path / "rows.parquet", "bought")
    assert infer_target(frame["bought"]).label_type == "boolean"


def test_rows_that_differ_only_in_an_identifier_stay_together(tmp_path, tiny):
    frame = pd.DataFrame({"row": np.arange(600), "a": np.arange(600.0), "b": "x", "y": ["u", "v"] * 300})
    frame.loc[300:349, ["a", "y"]] = frame.loc[:49, ["a", "y"]].to_numpy()
    write_frame(frame, tmp_path / "rows.parquet")
    rows, _, _ = tabular.load(tmp_path / "rows.parquet", "y")
    target, fractions = infer_target(rows["y"]), {"val_fraction": 0.3, "test_fraction": 0.3}
    splits = tabular.split(rows, target, test_data=None, seed=0, **fractions)
    split_of_row = np.concatenate([np.full(len(split), code) for code, split in enumerate(splits)])
    split_of_row = split_of_row[np.argsort(np.concatenate([split.indices for split in splits]))]
    np.testing.assert_array_equal(split_of_row[:50], split_of_row[300:350])


def test_large_table_is_fitted_on_a_sample_with_complete_vocabularies(tmp_path, tiny, monkeypatch):
    rows = 20_000
    frame = table(rows)
    write_frame(frame, tmp_path / "rows.parquet")
    with monkeypatch.context() as patch:
        patch.setattr(out_of_core, "MEMORY_FRACTION", 1)
        _, expected, _ = fit(tmp_path / "rows.parquet")
    monkeypatch.setattr(parquet, "CHUNK_ROWS", 5000)
    monkeypatch.setattr(out_of_core, "MAX_SAMPLE_ROWS", 4000)
    _, metadata, _ = fit(tmp_path / "rows.parquet")
    message = "numeric and date columns are fitted on 4,000 randomly sampled training rows"
    assert message in metadata.notes
    assert metadata.target == expected.target
    assert metadata.sizes == expected.sizes
    assert [rule.get("vocabulary") for rule in metadata.inputs.values()] == [
        rule.get("vocabulary") for rule in expected.inputs.values()
    ]
    # Dvoretzky-Kiefer-Wolfowitz: with probability 1 - p, no share of n rows is off by more than sqrt(ln(2 / p) / (2 n))
    bound = np.sqrt(np.log(2 / 1e-9) / (2 * 4000))
    amounts = np.sort(frame["amount"].dropna())
    assert abs(np.searchsorted(amounts, metadata.inputs["amount"]["center"]) / len(amounts) - 0.5) < bound


def test_rare_categories_are_dropped_while_counting_very_many(tmp_path, tiny, monkeypatch):
    categories = [f"w{i}" for i in range(2000)] + ["often"] * 4000
    write_frame(
        pd.DataFrame({"a": categories, "b": np.arange(6000.0) % 7, "y": ["u", "v"] * 3000}), tmp_path / "t.parquet"
    )
    monkeypatch.setattr(out_of_core, "MAX_SAMPLE_ROWS", 1000)
    monkeypatch.setattr(schema, "MAX_COUNTED_CATEGORIES", 300)
    rows, _, _ = tabular.load(tmp_path / "t.parquet", "y", duplicates="keep")
    metadata = tabular.fit_schema(rows, infer_target(rows["y"]), categorical_columns=["a"])
    assert metadata.inputs["a"]["vocabulary"] == ["often"]


def test_integers_beyond_the_exact_range_of_floats_are_text_in_every_chunk(tmp_path, tiny):
    frame = pd.DataFrame({"a": np.r_[np.arange(500), 2**60 + np.arange(500)], "y": ["u", "v"] * 500})
    write_frame(frame, tmp_path / "rows.parquet")
    rows, _, _ = tabular.load(tmp_path / "rows.parquet", "y")
    assert rows["a"].tolist() == [str(value) for value in frame["a"]]


def test_named_index_of_pandas_is_a_column(tmp_path, tiny):
    frame = table().set_index("town")
    frame.to_parquet(tmp_path / "rows.parquet")
    rows, _, _ = tabular.load(tmp_path / "rows.parquet", "bought")
    assert rows.columns == list(read_frame(tmp_path / "rows.parquet"))


def test_file_sorted_by_label_trains_like_a_shuffled_file(tmp_path, tiny):
    import keras

    frame = table(1500, seed=1).drop(columns="row")
    frame, losses = frame[frame["bought"] != "?"], []
    for name, rows in {"shuffled": frame, "sorted": frame.sort_values("bought", kind="stable")}.items():
        write_frame(rows, tmp_path / f"{name}.parquet")
        _, metadata, (train, val, _) = fit(tmp_path / f"{name}.parquet")
        preprocessor = tabular.make_preprocessor(metadata)
        train, val = (tabular.make_dataset(split, metadata, preprocessor) for split in (train, val))
        keras.utils.set_random_seed(0)
        inputs = tfkit.keras_inputs(train)
        model = keras.Model(inputs, keras.layers.Dense(2)(inputs["numbers"]))
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        model.optimizer.learning_rate = 0.05
        losses.append(tfkit.fit(model, train, epochs=4, validation_data=val).history["val_loss"][-1])
    assert max(losses) < 0.5  # above 0.69, the loss of a constant prediction, if each step saw one class only
    assert abs(losses[0] - losses[1]) < 0.05


def test_memory_of_read_chunks_is_released(tmp_path, tiny):
    import pyarrow as pa

    rows = out_of_core.open_out_of_core(in_folder(tmp_path / "t", table(9 * ROWS), ".parquet"), "bought")[0]
    before = pa.total_allocated_bytes()
    assert sum(len(chunk) for chunk in rows.chunks()) == len(rows)
    assert pa.total_allocated_bytes() - before < 20_000  # the complete table has 300,000 bytes


def test_temporary_files_are_unlinked(tmp_path, tiny, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    monkeypatch.setattr("tempfile.tempdir", None)
    path = in_folder(tmp_path / "rows", table(), ".csv")
    _, metadata, splits = fit(path)
    rows = tabular.make_dataset(splits[0], metadata, tabular.make_preprocessor(metadata))
    assert os.listdir(tmp_path / "cache") == []  # while they are in use, so that a killed process leaves none
    assert len(all_rows(rows)["y"]) == len(rows)


def test_column_without_readable_cells_is_reported(tmp_path, tiny, caplog):
    write_frame(table(), tmp_path / "rows.csv")
    _, metadata, _ = fit(tmp_path / "rows.csv")
    write_frame(table().assign(code="none"), tmp_path / "new.csv")
    caplog.clear()
    rows, _, _ = tabular.load(tmp_path / "new.csv", "bought")
    tabular.make_dataset(rows, metadata, tabular.make_preprocessor(metadata))
    assert [message for message in caplog.messages if "none of" in message] == [
        "code: none of the 920 cells matches the column type of the training data; all count as missing"
    ]


def test_too_large_depends_on_the_file_sizes(tmp_path, monkeypatch):
    path = in_folder(tmp_path / "rows", table(), ".parquet")
    assert not too_large(path)
    monkeypatch.setattr(out_of_core, "MEMORY_FRACTION", 0)
    assert too_large(path)
    assert not too_large(table())
    assert not too_large(tmp_path / "none.csv")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 truncated")
    assert not too_large(tmp_path / "broken.parquet")


@pytest.mark.parametrize("fraction", [0, 1])
def test_files_of_a_folder_must_have_the_same_columns(fraction, tmp_path, monkeypatch):
    monkeypatch.setattr(out_of_core, "MEMORY_FRACTION", fraction)
    for suffix in (".csv", ".parquet"):
        path = in_folder(tmp_path / f"rows{suffix}", table(), suffix)
        write_frame(table().drop(columns="town"), path / f"part-9{suffix}")
        with pytest.raises(UserError, match=r"All files in a folder must have the same columns. Received: .*part-9"):
            tabular.load(path, "bought")


def test_files_of_a_folder_must_have_the_same_types(tmp_path, tiny):
    path = in_folder(tmp_path / "rows", table(), ".parquet")
    write_frame(table().assign(amount="much"), path / "part-9.parquet")
    with pytest.raises(
        UserError, match=r"must have the same type in each column. Received: 'amount', numbers in .* text"
    ):
        tabular.load(path, "bought")


def test_file_that_cannot_be_read_in_chunks_is_rejected(tmp_path, tiny):
    (tmp_path / "rows.csv").write_text('a,y\n"1\n')
    with pytest.raises(UserError, match="A quote must be closed"):
        tabular.load(tmp_path / "rows.csv", "y")
    (tmp_path / "rows.jsonl").write_text('{"a": 1, "y": 1}\n{"a": "b", "y": 2}\n')
    with pytest.raises(
        UserError, match="too large for memory must be Parquet, CSV or JSON lines, in one encoding, with one type"
    ):
        tabular.load(tmp_path / "rows.jsonl", "y")


def test_folder_without_tables_is_rejected(tmp_path):
    (tmp_path / "note.md").write_text("no table")
    with pytest.raises(UserError, match=r"a folder with files of .csv .* a folder without table files"):
        tabular.load(tmp_path, "y")


def test_missing_target_column_is_rejected(tmp_path, tiny):
    with pytest.raises(UserError, match="must have the column 'paid'"):
        tabular.load(in_folder(tmp_path / "rows", table(), ".csv"), "paid")
