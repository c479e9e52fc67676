"""Folders of tables: Hive partitions, symbolic links, files that are not tables."""

import os

import pandas as pd
import pytest

from tfkit.data import tabular
from tfkit.data.files.folders import class_names, find_split_folders, list_files, missing_class_messages, shared_folders
from tfkit.data.files.partitions import partition_values
from tfkit.data.files.read import read_frame, read_messages
from tfkit.data.files.write import write_frame
from tfkit.data.rows import out_of_core
from tfkit.errors import UserError


@pytest.fixture
def tiny(monkeypatch):
    """Make every table too large for memory."""
    monkeypatch.setattr(out_of_core, "MEMORY_FRACTION", 1e-12)


def write_partitions(folder, suffix, partitions):
    """Write 20 rows for each partition, named by its folders."""
    for start, partition in enumerate(partitions):
        (folder / partition).mkdir(parents=True)
        rows = range(start * 20, start * 20 + 20)
        write_frame(
            pd.DataFrame({"amount": rows, "bought": ["yes", "no"] * 10}), folder / partition / f"part-0{suffix}"
        )


PARTITIONS = {
    "one level": (["year=2023", "year=2024"], {"year": ["2023", "2024"]}),
    "two levels": (["y=1/m=1", "y=1/m=2", "y=2/m=1"], {"y": ["1", "1", "2"], "m": ["1", "2", "1"]}),
    "escaped": (["shop=a%20b%2Fc", "shop=d"], {"shop": ["a b/c", "d"]}),
    "missing": (["shop=__HIVE_DEFAULT_PARTITION__", "shop=d"], {"shop": [None, "d"]}),
    "underscore": (["_year=1", "_year=2"], {"_year": ["1", "2"]}),
    "equals sign in the value": (["k=a=b", "k=c"], {"k": ["a=b", "c"]}),
    "below another folder": (["data/year=1", "data/year=2"], {"year": ["1", "2"]}),
}


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl", ".csv.gz"])
@pytest.mark.parametrize("name", PARTITIONS)
@pytest.mark.reading("Folders", "read")
def test_partition_columns_are_read(tmp_path, suffix, name):
    folders, expected = PARTITIONS[name]
    write_partitions(tmp_path, suffix, folders)
    frame = read_frame(tmp_path)
    assert len(frame) == 20 * len(folders)
    for column, values in expected.items():
        cells = frame[column].astype(object).where(frame[column].notna(), None).tolist()
        assert cells == [value for value in values for _ in range(20)]
    assert read_messages(frame) == [f"columns from the names of folders: {', '.join(expected)}"]


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.reading("Folders", "read")
def test_one_partition_has_its_columns(tmp_path, suffix):
    folders = ["year=2023/month=1", "year=2024/month=7"]
    write_partitions(tmp_path, suffix, folders)
    file = next((tmp_path / folders[1]).iterdir())
    for source, months in ((file, {"7"}), (file.parent, {"7"}), (tmp_path / "year=2023", {"1"})):
        frame = read_frame(source)
        assert set(frame["month"]) == months
        assert set(frame["year"]) == {"2023" if months == {"1"} else "2024"}
        assert read_messages(frame) == ["columns from the names of folders: year, month"]


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
@pytest.mark.parametrize("name", PARTITIONS)
@pytest.mark.reading("Folders", "read")
def test_partition_columns_out_of_core(tmp_path, tiny, suffix, name):
    folders, expected = PARTITIONS[name]
    write_partitions(tmp_path, suffix, folders)
    table, _, messages = tabular.load(tmp_path, "bought")
    assert messages == [f"columns from the names of folders: {', '.join(expected)}"]
    for column, values in expected.items():
        cells = table[column]
        assert cells.astype(object).where(cells.notna(), None).tolist() == [v for v in values for _ in range(20)]
        assert [*table.head()] == ["amount", "bought", *expected]
    assert tabular.load(tmp_path, next(iter(expected)))[0] is not None  # a partition as the target


def test_column_of_the_files_wins(tmp_path):
    (tmp_path / "year=2024").mkdir()
    write_frame(pd.DataFrame({"year": [1, 2], "y": [1, 2]}), tmp_path / "year=2024" / "a.parquet")
    frame = read_frame(tmp_path)
    assert frame["year"].tolist() == [1, 2]
    assert read_messages(frame) == []


@pytest.mark.reading("Folders", "refused")
def test_partitions_must_be_the_same_in_all_files(tmp_path, tiny):
    write_partitions(tmp_path, ".parquet", ["year=1", "month=2"])
    for read in (read_frame, lambda path: tabular.load(path, "bought")):
        with pytest.raises(UserError, match="must have the same columns"):
            read(tmp_path)


def test_files_of_other_systems_are_not_rows(tmp_path):
    write_partitions(tmp_path, ".parquet", ["year=1"])
    (tmp_path / "_temporary" / "0").mkdir(parents=True)
    (tmp_path / "_temporary" / "0" / "a.csv").write_text("x\n1\n")
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / ".ipynb_checkpoints" / "a.csv").write_text("x\n1\n")
    assert len(read_frame(tmp_path)) == 20
    (tmp_path / "_delta_log").mkdir()
    with pytest.raises(UserError, match="A Delta Lake table must be exported first"):
        read_frame(tmp_path)


@pytest.mark.reading("Folders", "read")
def test_symbolic_links_are_followed_without_loops(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "a.csv").write_text("x,y\n1,2\n")
    folder = tmp_path / "data"
    folder.mkdir()
    os.symlink(tmp_path / "store", folder / "linked")
    os.symlink(folder, folder / "loop")
    os.symlink(tmp_path, folder / "parent")
    os.symlink(tmp_path / "store" / "a.csv", folder / "b.csv")
    os.symlink(tmp_path / "nothing", folder / "broken")
    names, messages = list_files(folder)
    assert names == ["b.csv", "linked/a.csv", "parent/store/a.csv"]
    assert messages == ["1 symbolic links lead to no file: 'broken'"]
    assert len(read_frame(folder)) == 3


def test_partition_values(tmp_path):
    assert partition_values(tmp_path / "a=1" / "plain" / "b=" / "x=1.csv", tmp_path) == {"a": "1", "b": ""}
    assert partition_values(tmp_path / "=1" / "x.csv", tmp_path) == {}


@pytest.mark.parametrize(
    ("names", "classes"),
    [
        (["a/1", "b/2"], ["a", "b"]),
        (["root/a/1", "root/b/2"], ["a", "b"]),
        (["root/a/1", "root/b/c/2", "root/readme"], ["a", "b", None]),
        (["a/1", "a/2"], ["a", "a"]),
        (["1", "a/2"], [None, "a"]),
        (["x/y/a/1", "x/y/b/2"], ["a", "b"]),
    ],
)
@pytest.mark.reading("Folders", "read")
def test_class_of_a_file_is_its_top_folder(names, classes):
    assert class_names(names, shared_folders(names)) == classes


@pytest.mark.reading("Folders", "stated")
def test_missing_classes_are_named():
    assert missing_class_messages(["elk"] * 20 + ["cat", None], ["cat"], "none readable") == [
        "class elk: 20 files, none readable"
    ]
    messages = missing_class_messages([f"c{number}" for number in range(9)], [], "no image")
    assert len(messages) == 6
    assert messages[-1] == "4 more classes: no image"


@pytest.mark.parametrize(
    ("names", "splits"),
    [
        (["train/a/1", "test/a/1"], ("train", "test")),
        (["Training/a/1", "Validation/a/1"], ("Training", "Validation")),
        (["set/train/a/1", "set/test/a/2", "set/readme"], ("set/train", "set/test")),
        (["train/1", "test/1", "val/1"], ("train", "test")),
        (["train/a/1", "other/a/1"], None),
        (["train/a/1"], None),
        (["a/train/1", "b/test/1"], None),
    ],
)
def test_folders_of_splits(tmp_path, names, splits):
    found_folders = find_split_folders(tmp_path, names)
    assert (found_folders and found_folders[:2]) == (splits and tuple(tmp_path / name for name in splits))
