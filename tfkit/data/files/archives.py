"""Archives of folders: unpacked into temporary folders; and one part of a file, `book.xlsx?sheet`."""

import shutil
import tarfile
import tempfile
import zipfile
from pathlib import Path

from tfkit.errors import UserError, did_you_mean, first_line, format_list

TAR_SUFFIXES = (".tar", ".tgz", ".tbz2", ".txz", ".tar.gz", ".tar.bz2", ".tar.xz")

_folders: dict[tuple[str, int], tempfile.TemporaryDirectory] = {}  # deleted when the process ends


def split_part(path: Path) -> tuple[Path, str | None]:
    """Split `FILE?PART` into a file that exists and the name of its part; the part is None without one.

    Example:
        >>> import tfkit
        >>> sample = tfkit.sample_path("digits.zip")
        >>> file, part = split_part(Path(f"{sample}?0/0.png"))
        >>> file == sample, part
        (True, '0/0.png')
    """
    text = str(path)
    for position in [index for index, character in enumerate(text) if character == "?"]:
        if Path(text[:position]).is_file() and not path.exists():
            return Path(text[:position]), text[position + 1 :]
    return path, None


def find_in_archive(path: Path, name: str) -> Path:
    """Return the path of a file in an archive, unpacked.

    Raises:
        UserError: If the archive has no such file.
    """
    folder = unpack(path)
    file = folder / name
    if not file.is_file() or not file.resolve().is_relative_to(folder.resolve()):
        names = [str(entry.relative_to(folder)) for entry in sorted(folder.rglob("*")) if entry.is_file()]
        raise UserError(
            f"The part after ? must be a file in the archive.{did_you_mean(name, names)} "
            f"Received: {path}?{name}; it has {format_list(names)}"
        )
    return file


def is_tar(path: Path) -> bool:
    """Return whether the path is that of a tar archive."""
    return path.name.lower().endswith(TAR_SUFFIXES) and path.is_file()


def is_zip_of_files(path: Path) -> bool:
    """Return whether the path is that of a .zip with more than one file."""
    if path.suffix.lower() != ".zip" or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX/")]
    return len(names) > 1


def unpack(path: Path) -> Path:
    """Unpack a .zip or a tar archive once in this process, and return the folder.

    Raises:
        UserError: If the archive is damaged or encrypted, has paths outside of itself, or does not fit on the disk.
    """
    key = (str(path.resolve()), path.stat().st_mtime_ns)
    if key not in _folders:
        folder = tempfile.TemporaryDirectory(prefix="tfkit-")
        try:
            _unpack(path, Path(folder.name))
        except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError) as error:
            raise UserError(
                f"An archive must be complete, have no password, and fit on the disk when unpacked. "
                f"Received: {path}, {first_line(error)}"
            ) from error
        _folders[key] = folder
    return Path(_folders[key].name)


def _unpack(path: Path, folder: Path) -> None:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            _check_size(sum(entry.file_size for entry in archive.infolist()), folder)
            archive.extractall(folder)
        return
    with tarfile.open(path) as tar:
        _check_size(sum(member.size for member in tar.getmembers()), folder)
        tar.extractall(folder, filter="data")


def _check_size(num_bytes: int, folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if num_bytes > free:
        raise OSError(f"{num_bytes / 1e9:,.1f} GB, and {free / 1e9:,.1f} GB are free in {folder.parent}")
