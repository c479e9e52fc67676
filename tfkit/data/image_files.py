"""Pictures lie in a folder, a .zip or the rows of a table: wherever, each has a name, a label and its bytes."""

import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from tfkit.data import encodings
from tfkit.data.files import read_frame
from tfkit.data.tables import check_columns
from tfkit.data.targets import listed
from tfkit.errors import UserError, nearest

SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".bmp", ".webp", ".tif", ".tiff")
LARGEST = 500_000_000  # bytes of a picture's file: more is a trap
SPLITS = {"train", "training", "test", "testing", "val", "valid", "validation"}


@dataclass(frozen=True)
class Pictures:
    """Pictures of one source: a table with a row for each, and how their bytes are read."""

    frame: Any
    path: str  # the column that names them
    read: Callable[[str], bytes]
    folders: bool = False  # whether the folders say the labels

    def __len__(self) -> int:
        return len(self.frame)

    def having(self, frame: Any) -> "Pictures":
        """The same source with other rows or columns."""
        return Pictures(frame, self.path, self.read, self.folders)


def find_pictures(
    source: Any,
    *,
    target: str = "label",
    path_column: str = "path",
    labelled: bool = True,
    delimiter: str | None = None,
) -> tuple[Pictures, list[str]]:
    """The pictures of a source, and what was passed over, in words.

    Args:
        source: A folder or a .zip, where the first folder below says the class (the whole of it may lie in one folder
            more); a table with a column of paths, beside which they lie; or, without labels, one picture or a list.
        target: Name of the label; of a table, the column that has it.
        path_column: The column of paths, of a table.
        labelled: Whether labels are needed.
        delimiter: Of a table; found where it is left out.

    Raises:
        UserError: If the source is not there, or holds no picture, or no label where one is needed.
    """
    import pandas as pd

    if isinstance(source, pd.DataFrame | Mapping):
        return _of_table(read_frame(source), Path(), path_column, target, labelled, "the table")
    if isinstance(source, list | tuple):
        return _of_table(
            pd.DataFrame({path_column: [os.fspath(one) for one in source]}),
            Path(),
            path_column,
            target,
            labelled,
            "the list",
        )
    if not isinstance(source, str | os.PathLike):
        raise UserError(
            f"Pictures are given by the path of a folder, a .zip or a table, or as an array or a list of "
            f"paths. Received: {type(source).__name__}"
        )
    path = Path(source).expanduser()
    if path.is_dir():
        names = sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())
        return _of_names(names, lambda name: (path / name).read_bytes(), path, target, path_column, labelled)
    if path.suffix.lower() == ".zip" and (zipped := _zipped(path)) is not None:
        archive = zipfile.ZipFile(path)
        return _of_names(zipped, lambda name: _entry(archive, name), path, target, path_column, labelled)
    if path.suffix.lower() in SUFFIXES and path.is_file():
        if labelled:
            raise UserError(
                f"Pictures with labels are a folder with a folder for each class, a .zip of one, or a "
                f"table of paths and labels. Received: {path}, one picture"
            )
        return _of_names([path.name], lambda name: path.read_bytes(), path, target, path_column, labelled)
    if not path.exists():
        beside = [other.name for other in path.parent.iterdir()] if path.parent.is_dir() else []
        raise UserError(
            f"The pictures must be there.{nearest(path.name, beside)} Received: {path}, no such file or folder"
        )
    return _of_table(read_frame(path, delimiter=delimiter), path.parent, path_column, target, labelled, str(path))


def _zipped(path: Path) -> list[str] | None:
    """The names of the files in a .zip; None where it holds a table."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"A .zip of pictures must be there and whole. Received: {path}, {error}") from None
    if any(entry.flag_bits & 1 for entry in entries):
        raise UserError(f"A .zip of pictures must be open to all; unpack it first. Received: {path}, encrypted")
    names = sorted(entry.filename for entry in entries)
    table = len(names) == 1 and PurePosixPath(names[0]).suffix.lower() not in SUFFIXES
    return None if table else names


def _of_names(
    names: list[str], read: Callable[[str], bytes], path: Path, target: str, path_column: str, labelled: bool
) -> tuple[Pictures, list[str]]:
    """Pictures by the names of their files, of which the folder says the class."""
    import pandas as pd

    encodings.check_names(names, path)
    parts = {name: PurePosixPath(name).parts for name in names}
    seen = [name for name in names if not any(part.startswith((".", "__MACOSX")) for part in parts[name])]
    found = [name for name in seen if PurePosixPath(name).suffix.lower() in SUFFIXES]
    others = sorted({PurePosixPath(name).suffix.lower() or name for name in {*seen} - {*found}})
    said = [f"{len(seen) - len(found):,} of {len(seen):,} files passed over: no pictures, {listed(others)}"]
    if not found:
        there = f"{len(seen):,} files, {listed(others)}" if seen else "nothing"
        raise UserError(f"There must be pictures ({' '.join(SUFFIXES)}). Received: {path}, which holds {there}")
    inside = [parts[name] for name in found]
    while len({each[0] for each in inside}) == 1 and min(map(len, inside)) > 2:
        inside = [each[1:] for each in inside]
    if labelled:
        _check_folders(inside, path)
    labels = [each[0] if len(each) > 1 else None for each in inside]
    frame = pd.DataFrame({path_column: found, target: pd.Series(labels, dtype=object)})
    return Pictures(frame, path_column, read, folders=True), said if others else []


def _check_folders(inside: list[tuple[str, ...]], path: Path) -> None:
    """Refuse pictures without a class, and folders that are no classes."""
    lost = [each[0] for each in inside if len(each) < 2]
    if lost:
        raise UserError(
            f"Every picture must lie in the folder of its class, or in a row of a table. Received: {path}, "
            f"with {len(lost):,} of {len(inside):,} beside the folders, such as {lost[0]}"
        )
    folders = {each[0] for each in inside}
    if {folder.lower() for folder in folders} <= SPLITS and len(folders) > 1:
        train = next((folder for folder in folders if folder.lower().startswith("train")), min(folders))
        test = next((folder for folder in folders if folder.lower().startswith("test")), max(folders))
        raise UserError(
            f"Folders must be classes; give those of the splits one by one: pictures={path / train} "
            f"test_pictures={path / test}. Received: {path} with {listed(sorted(folders))}"
        )


def _of_table(
    frame: Any, folder: Path, path_column: str, target: str, labelled: bool, what: str
) -> tuple[Pictures, list[str]]:
    """Pictures by the rows of a table, whose paths are as seen from where it lies."""
    check_columns(frame, [path_column, *([target] if labelled else [])])
    paths, said = frame[path_column], []
    if labelled and (lost := int(frame[target].isna().sum())):
        said.append(f"{lost:,} of {len(frame):,} rows left out: no {target}")
        frame = frame[frame[target].notna()]
    if frame.empty or paths.isna().any():
        raise UserError(
            f"Every row must name a picture in {path_column!r}. Received: {what}, with "
            f"{int(paths.isna().sum()):,} of {len(paths):,} rows without"
        )
    frame = frame.astype({path_column: str}).reset_index(drop=True)
    return Pictures(frame, path_column, lambda name: _content(folder / Path(name).expanduser())), said


def _content(path: Path) -> bytes:
    """What a file holds that a table names, which may name anything."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError("a device or a pipe")
    if path.exists() and path.stat().st_size > LARGEST:
        raise OSError(f"more than {LARGEST // 10**6} MB")
    return path.read_bytes()


def _entry(archive: zipfile.ZipFile, name: str) -> bytes:
    """What a .zip holds under a name, which may be far larger than the .zip."""
    if archive.getinfo(name).file_size > LARGEST:
        raise OSError(f"more than {LARGEST // 10**6} MB")
    return archive.read(name)
