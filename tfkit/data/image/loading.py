"""Load and split labeled images."""

from typing import Any

from tfkit.data.files.folders import missing_class_messages
from tfkit.data.image.files import ImageFiles, find_images
from tfkit.data.image.scan import scan_images
from tfkit.data.rows.splits import train_val_test_split
from tfkit.errors import UserError
from tfkit.metadata import Target

# settings of a recipe that `load` and `split` take
LOAD_SETTINGS = frozenset({"target", "test_data", "path_column", "delimiter", "duplicates"})
SPLIT_SETTINGS = frozenset({"val_fraction", "test_fraction", "group_column"})


def load(
    data: Any,
    target: str = "label",
    *,
    test_data: Any = None,
    path_column: str = "path",
    delimiter: str | None = None,
    duplicates: str = "drop",
) -> tuple[ImageFiles, ImageFiles | None, list[str]]:
    """Find labeled images, inspect each once, and drop unreadable and duplicate ones.

    Args:
        data: A folder with one folder per class, a .zip of one, or a table of paths and labels.
        target: The column of labels; for folders, the name given to the label.
        test_data: Separate test images, in the same forms as `data`, or None.
        path_column: The column of paths.
        delimiter: Delimiter of a table; detected if None.
        duplicates: "drop" or "keep" images that equal another image of the same label.

    Returns:
        The images, the test images or None, and messages about what was dropped. Each row also has the size of the
        image, and a digest that is the same for equal pixels.

    Raises:
        UserError: If there are no images, or more than 1% of them cannot be read.
    """
    options: dict[str, Any] = {"target": target, "path_column": path_column, "delimiter": delimiter}
    images, messages = find_images(data, **options)
    labels = images.frame[target].astype(str)
    images, unreadable_messages = scan_images(images)
    messages += unreadable_messages
    messages += missing_class_messages(labels, images.frame[target].astype(str), "none readable")
    is_duplicate = images.frame.duplicated(["digest", target]).to_numpy()
    if duplicates == "drop" and is_duplicate.any():
        messages.append(f"{int(is_duplicate.sum()):,} of {len(images):,} images dropped: duplicates of another image")
        images = images.with_frame(images.frame[~is_duplicate])
    has_label_conflict = images.frame.drop_duplicates(["digest", target])["digest"].duplicated()
    if has_label_conflict.any():
        messages.append(
            f"{int(has_label_conflict.sum()):,} images have several labels; all copies of an image stay in one split"
        )
    if test_data is None:
        return images, None, messages
    test_images, test_messages = find_images(test_data, **options)
    test_images, unreadable_messages = scan_images(test_images)
    messages += [f"test: {message}" for message in test_messages + unreadable_messages]
    in_test = images.frame["digest"].isin(test_images.frame["digest"]).to_numpy()
    if in_test.all():
        raise UserError(
            f"There must be training images that are not test images. Received: {len(images):,} images, "
            f"all of them test images too"
        )
    if in_test.any():
        messages.append(f"{int(in_test.sum()):,} of {len(images):,} images dropped: they are test images too")
        images = images.with_frame(images.frame[~in_test])
    return images, test_images, messages


def split(
    images: ImageFiles, target: Target, *, test_data: ImageFiles | None = None, **options: Any
) -> tuple[ImageFiles, ImageFiles, ImageFiles]:
    """Split images into training, validation and test sets.

    The split is stratified by class, or by group. Images with equal pixels stay in one split.

    Args:
        images: The images returned by `load`.
        target: The result of `infer_target`.
        test_data: Separate test images, or None to take a fraction of `images`.
        options: val_fraction, test_fraction, seed and group_column of `train_val_test_split`.
    """
    import pandas as pd

    duplicate_ids = pd.factorize(images.frame["digest"])[0]
    test_frame = None if test_data is None else test_data.frame
    train_rows, val_rows, test_rows = train_val_test_split(
        images.frame, target, test_data=test_frame, duplicate_ids=duplicate_ids, **options
    )
    test_source = images if test_data is None else test_data
    return images.with_frame(train_rows), images.with_frame(val_rows), test_source.with_frame(test_rows)
