"""Folders of files: all files behind symbolic links, folders that are classes, folders that are splits."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from tfkit.errors import format_list

TRAIN_FOLDERS = ("train", "training")

TEST_FOLDERS = ("test", "testing", "val", "valid", "validation")  # the first that exists is the test split

MAX_NAMED_CLASSES = 5  # in a message


def list_files(folder: Path) -> tuple[list[str], list[str]]:
    """List the files of a folder and its subfolders; symbolic links are followed, but not in a loop.

    Returns:
        The paths relative to the folder, with `/`, sorted; and messages about links to nothing.
    """
    files: list[str] = []
    broken: list[str] = []
    _list_files(str(folder), "", files, broken, ())
    messages = [f"{len(broken):,} symbolic links lead to no file: {format_list(broken)}"] if broken else []
    return sorted(files), messages


def _list_files(folder: str, prefix: str, files: list[str], broken: list[str], parents: tuple[str, ...]) -> None:
    """Append the files of a folder, unless it is one of its own parents."""
    real_path = os.path.realpath(folder)
    if real_path in parents:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                _list_files(entry.path, f"{prefix}{entry.name}/", files, broken, (*parents, real_path))
            elif entry.is_file():
                files.append(prefix + entry.name)
            elif entry.is_symlink():
                broken.append(prefix + entry.name)


def is_hidden(name: str) -> bool:
    """Return whether a file, or a folder that it is in, is hidden or added by macOS."""
    return any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)


def shared_folders(names: Iterable[str]) -> tuple[str, ...]:
    """Return the folders that all class folders are in."""
    paths = [PurePosixPath(name).parts for name in names]
    depth = 0
    while len({parts[depth] for parts in paths}) == 1 and 2 * sum(len(parts) > depth + 2 for parts in paths) > len(
        paths
    ):
        paths = [parts for parts in paths if len(parts) > depth + 1]
        depth += 1
    return paths[0][:depth] if paths else ()


def class_names(names: Iterable[str], shared: tuple[str, ...]) -> list[str | None]:
    """Return the class of each file: its first folder in the shared folders, None without one."""
    paths = (PurePosixPath(name).parts for name in names)
    depth = len(shared)
    return [parts[depth] if len(parts) > depth + 1 and parts[:depth] == shared else None for parts in paths]


def missing_class_messages(before: Iterable[str | None], after: Iterable[str | None], reason: str) -> list[str]:
    """Name the classes of which no file can be used.

    Args:
        before: The class of each file, None without one.
        after: The class of each file that is used.
        reason: What is wrong with the files, such as "none readable".
    """
    used = {None, *after}
    missing = {str(name): count for name, count in Counter(before).items() if name not in used}
    named = [f"class {name}: {count:,} files, {reason}" for name, count in sorted(missing.items())]
    num_more = len(named) - MAX_NAMED_CLASSES
    return named if num_more <= 0 else [*named[:MAX_NAMED_CLASSES], f"{num_more:,} more classes: {reason}"]


def find_split_folders(folder: Path, names: Sequence[str]) -> tuple[Path, Path, list[str]] | None:
    """Find the folders of the splits, if the folders in a folder are splits and not classes.

    Args:
        folder: The folder.
        names: Its files, relative to it.

    Returns:
        The training folder, the test folder, and a message; None if the folders are not splits.
    """
    shared = shared_folders(names)
    by_name = {name.lower(): name for name in class_names(names, shared) if name}
    train = next((by_name[name] for name in TRAIN_FOLDERS if name in by_name), None)
    test = next((by_name[name] for name in TEST_FOLDERS if name in by_name), None)
    if train is None or test is None or not set(by_name) <= {*TRAIN_FOLDERS, *TEST_FOLDERS}:
        return None
    unused = sorted(set(by_name.values()) - {train, test})
    message = f"the folders are splits, not classes: {train} for training and validation, {test} for testing"
    rest = f"; not used: {format_list(unused)}" if unused else ""
    root = folder.joinpath(*shared)
    return root / train, root / test, [message + rest]
