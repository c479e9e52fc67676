"""Find images, with path, label and bytes, in a folder, a .zip or the rows of a table."""

import os
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from tfkit.data.columns.names import require_columns
from tfkit.data.files import archives, text_encoding
from tfkit.data.files.folders import (
    TEST_FOLDERS,
    TRAIN_FOLDERS,
    class_names,
    is_hidden,
    list_files,
    missing_class_messages,
    shared_folders,
)
from tfkit.data.files.read import read_frame, read_messages
from tfkit.errors import UserError, did_you_mean, format_list

IMAGE_SUFFIXES = tuple(".png .jpg .jpeg .jpe .jfif .gif .bmp .webp .tif .tiff .ppm .pgm .pbm .pnm".split())

MAX_FILE_BYTES = 500_000_000  # larger files are not images, or attacks

SPLIT_FOLDERS = {*TRAIN_FOLDERS, *TEST_FOLDERS}


@dataclass(frozen=True)
class ImageFiles:
    """Images of one source: a table with one row per image, and their reader."""

    frame: Any
    path_column: str  # the column of paths
    read: Callable[[str], bytes]
    labels_from_folders: bool = False  # whether the labels are names of folders

    def __len__(self) -> int:
        return len(self.frame)

    def with_frame(self, frame: Any) -> "ImageFiles":
        """Return the same source with other rows or columns."""
        return ImageFiles(frame, self.path_column, self.read, self.labels_from_folders)


def find_images(
    source: Any,
    *,
    target: str = "label",
    path_column: str = "path",
    labeled: bool = True,
    delimiter: str | None = None,
) -> tuple[ImageFiles, list[str]]:
    """Find the images of a source; also return messages about skipped files and rows.

    Args:
        source: A folder or a .zip, in which the top-level folder of an image is its class (all class folders may be
            inside of one more folder); a table with a column of paths, relative to the folder of the table; or, without
            labels, one image file or a list of paths.
        target: The name of the label; of a table, the column of labels.
        path_column: The column of paths of a table.
        labeled: Whether labels are required.
        delimiter: Delimiter of a table; detected if None.

    Raises:
        UserError: If the source does not exist, or has no images, or lacks required labels.
    """
    import pandas as pd

    is_list = isinstance(source, list | tuple) and not any(isinstance(row, Mapping) for row in source)
    if not is_list and (isinstance(source, Mapping | list | tuple) or hasattr(source, "__arrow_c_stream__")):
        return _from_table(read_frame(source, list_columns=[target]), Path(), path_column, target, labeled, "the table")
    if is_list:
        return _from_table(
            pd.DataFrame({path_column: [os.fspath(path) for path in source]}),
            Path(),
            path_column,
            target,
            labeled,
            "the list",
        )
    if not isinstance(source, str | os.PathLike):
        raise UserError(
            f"Images must be the path of a folder, a .zip or a table, or an array or a list of paths. "
            f"Received: {type(source).__name__}"
        )
    path = Path(source).expanduser()
    if path.is_dir() or archives.is_tar(path):
        folder = path if path.is_dir() else archives.unpack(path)
        names, link_messages = list_files(folder)
        images, messages = _from_file_names(
            names, lambda name: (folder / name).read_bytes(), path, target, path_column, labeled
        )
        return images, link_messages + messages
    if path.suffix.lower() == ".zip" and (zip_names := _names_in_zip(path)) is not None:
        archive = zipfile.ZipFile(path)
        return _from_file_names(
            zip_names, lambda name: _read_zip_entry(archive, name), path, target, path_column, labeled
        )
    if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
        if labeled:
            raise UserError(
                f"Labeled images must be a folder with one folder per class, a .zip of one, or a table of paths and "
                f"labels. Received: {path}, one image"
            )
        return _from_file_names([path.name], lambda name: path.read_bytes(), path, target, path_column, labeled)
    if not path.exists():
        siblings = [sibling.name for sibling in path.parent.iterdir()] if path.parent.is_dir() else []
        raise UserError(
            f"The path of the images must exist.{did_you_mean(path.name, siblings)} "
            f"Received: {path}, no such file or folder"
        )
    frame = read_frame(path, delimiter=delimiter, list_columns=[target])
    return _from_table(frame, path.parent, path_column, target, labeled, str(path))


def _names_in_zip(path: Path) -> list[str] | None:
    """List the names of the files in a .zip; None if it contains a table."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    except (zipfile.BadZipFile, OSError) as error:
        raise UserError(f"A .zip of images must exist and be complete. Received: {path}, {error}") from None
    if any(entry.flag_bits & 1 for entry in entries):
        raise UserError(f"A .zip of images must not be encrypted; unpack it first. Received: {path}, encrypted")
    names = sorted(entry.filename for entry in entries)
    is_table = len(names) == 1 and PurePosixPath(names[0]).suffix.lower() not in IMAGE_SUFFIXES
    return None if is_table else names


def _from_file_names(
    names: list[str], read: Callable[[str], bytes], path: Path, target: str, path_column: str, labeled: bool
) -> tuple[ImageFiles, list[str]]:
    """Select the images among files; the folder of an image is its label."""
    import pandas as pd

    text_encoding.check_file_names(names, path)
    visible = [name for name in names if not is_hidden(name)]
    image_names = [name for name in visible if PurePosixPath(name).suffix.lower() in IMAGE_SUFFIXES]
    skipped = {*visible} - {*image_names}
    skipped_suffixes = sorted({PurePosixPath(name).suffix.lower() or name for name in skipped})
    if not image_names:
        content = f"{len(visible):,} files, {format_list(skipped_suffixes)}" if visible else "no files"
        raise UserError(f"There must be images ({' '.join(IMAGE_SUFFIXES)}). Received: {path} with {content}")
    shared = shared_folders(image_names)
    labels = class_names(image_names, shared)
    if labeled:
        _check_class_folders(image_names, labels, path)
    frame = pd.DataFrame({path_column: image_names, target: pd.Series(labels, dtype=object)})
    messages = []
    if skipped:
        messages.append(
            f"{len(skipped):,} of {len(visible):,} files skipped, not images: {format_list(skipped_suffixes)}"
        )
        messages += missing_class_messages(class_names(visible, shared), labels, "no image")
    return ImageFiles(frame, path_column, read, labels_from_folders=True), messages


def _check_class_folders(names: list[str], labels: list[str | None], source: Path) -> None:
    """Check that every image is in a class folder, and that folders are not splits."""
    without_class = [name for name, label in zip(names, labels, strict=True) if label is None]
    if without_class:
        raise UserError(
            f"Every image must be in the folder of its class, or in a row of a table. Received: {source}, "
            f"with {len(without_class):,} of {len(names):,} outside of a class folder, such as {without_class[0]}"
        )
    folders = {label for label in labels if label is not None}
    if {folder.lower() for folder in folders} <= SPLIT_FOLDERS and len(folders) > 1:
        train = next((folder for folder in folders if folder.lower().startswith("train")), min(folders))
        test = next((folder for folder in folders if folder.lower().startswith("test")), max(folders))
        raise UserError(
            f"Folders must be classes; pass the folders of the splits separately: data={source / train} "
            f"test_data={source / test}. Received: {source} with {format_list(sorted(folders))}"
        )


def _from_table(
    frame: Any, folder: Path, path_column: str, target: str, labeled: bool, source_name: str
) -> tuple[ImageFiles, list[str]]:
    """Find the images of a table, whose paths are relative to the folder of the table."""
    require_columns(frame, [path_column, *([target] if labeled else [])])
    paths, messages = frame[path_column], read_messages(frame)
    if labeled and (num_unlabeled := int(frame[target].isna().sum())):
        messages.append(f"{num_unlabeled:,} of {len(frame):,} rows dropped: no {target}")
        frame = frame[frame[target].notna()]
    if frame.empty or paths.isna().any():
        raise UserError(
            f"Every row must have the path of an image in {path_column!r}. Received: {source_name}, with "
            f"{int(paths.isna().sum()):,} of {len(paths):,} rows without a path"
        )
    frame = frame.astype({path_column: str}).reset_index(drop=True)
    return ImageFiles(frame, path_column, lambda name: _read_file(folder / Path(name).expanduser())), messages


def _read_file(path: Path) -> bytes:
    """Read a file named in a table; refuse devices, pipes and very large files."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError("a device or a pipe")
    if path.exists() and path.stat().st_size > MAX_FILE_BYTES:
        raise OSError(f"more than {MAX_FILE_BYTES // 10**6} MB")
    return path.read_bytes()


def _read_zip_entry(archive: zipfile.ZipFile, name: str) -> bytes:
    """Read an entry of a .zip; refuse one that is very large when decompressed."""
    if archive.getinfo(name).file_size > MAX_FILE_BYTES:
        raise OSError(f"more than {MAX_FILE_BYTES // 10**6} MB")
    return archive.read(name)
