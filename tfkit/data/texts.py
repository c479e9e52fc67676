"""Load, split, preprocess and read labeled texts; the vocabulary is built from the training rows only."""

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from tfkit.data import tokens
from tfkit.data.ngrams import frequent_ngrams
from tfkit.data.splits import Rows
from tfkit.data.splitting import split_table
from tfkit.data.stored import Stored, fits, lying, record_of
from tfkit.data.tables import check_columns
from tfkit.data.targets import count_classes, read_target
from tfkit.data.text_columns import (
    check_is_text,
    clean_texts,
    longest_text_column,
    normalize_for_comparison,
    text_array,
)
from tfkit.data.text_files import read_text_frame
from tfkit.errors import UserError

log = logging.getLogger("tfkit")

INPUT_NAME = "text"  # the only input of the saved model
LENGTH_QUANTILE = 0.99  # fraction of the training texts that are not truncated
MAX_UNSPACED_FRACTION = 0.3  # of letters in scripts without spaces; above it, tokens are characters
CHUNK_ROWS = 4096  # texts processed at a time, and sampled to infer the kind of token


def load_texts(
    table: Any,
    text: str | None,
    target: str,
    *,
    test_table: Any = None,
    keep: Iterable[str | None] = (),
    **reading: Any,
) -> tuple[Any, Any, str, list[str]]:
    """Read a table of texts and targets, and optionally a test table.

    Args:
        table, test_table: Any source that `read_text_frame` accepts.
        text: The column of texts; None for the one with the longest texts.
        target: The column to predict.
        keep: More columns to keep, needed for splitting.
        reading: delimiter, encoding, missing of `read_frame`.

    Returns:
        The rows with a text and a target, those of the test table or None, the name of the text column, and messages
        about what was dropped.

    Raises:
        UserError: If there are no texts, a column does not exist, or the text column has numbers.
    """
    frame, marked = read_text_frame(table, text=text, target=target, **reading)
    check_columns(frame, [target, *([text] if text else [])])
    name = text or longest_text_column(frame, target)
    columns = list(dict.fromkeys([name, target, *(column for column in keep if column)]))
    check_columns(frame, columns)
    frame, messages = clean_texts(frame[columns], name, target, marked)
    if test_table is None:
        return frame, None, name, messages
    test, marked = read_text_frame(test_table, text=name, target=target, **reading)
    check_columns(test, [name, target], "test table")
    test, test_messages = clean_texts(test[[name, target]], name, target, marked, "test table")
    in_test = normalize_for_comparison(frame[name]).isin(normalize_for_comparison(test[name])).to_numpy()
    if in_test.all():
        raise UserError(
            f"The table must have texts that are not in the test table. Received: {len(frame):,} rows, all in both"
        )
    if in_test.any():
        test_messages.append(
            f"{int(in_test.sum()):,} of {len(frame):,} rows dropped: their text is in the test table too"
        )
    return frame[~in_test], test, name, messages + test_messages


def split_texts(frame: Any, text: str, target: dict[str, Any], **settings: Any) -> tuple[Any, Any, Any]:
    """Split rows as `split_table` does; all rows with the same text stay in one split.

    Texts that differ only in upper and lower case and white space count as the same.
    """
    normalized = normalize_for_comparison(frame[text])
    splits = split_table(frame[~normalized.duplicated()], target, **settings)
    train, val, test = (
        split if split is settings["test"] else frame[normalized.isin(normalize_for_comparison(split[text]))]
        for split in splits
    )
    return train, val, test


def learn_texts(
    frame: Any,
    text: str,
    target: Mapping[str, Any],
    *,
    kind: str = "auto",
    max_length: int = 2000,
    vocabulary: int = 20_000,
    reading: Mapping[str, Any] | None = None,
    said: Iterable[str] = (),
) -> dict[str, Any]:
    """Infer text length, kind of token and vocabularies from the training rows.

    Args:
        frame: The training rows.
        text: The column of texts.
        target: The target description returned by `learn_target`.
        kind: The kind of token: "words", "characters", or "auto" for characters in scripts without spaces between
            words.
        max_length: The maximum number of characters of a text; longer texts are truncated.
        vocabulary: The maximum number of words, and of characters, in the vocabularies.
        reading: delimiter, encoding, missing of `read_frame`; stored for reading later files.
        said: Messages about earlier steps, stored with the result.

    Returns:
        The schema, as plain JSON: task, target, inputs, and the parameters of `prepare_texts`.
    """
    texts = text_array(frame[text])
    lengths = np.array([len(string) for string in texts])
    length = max(1, min(max_length, int(np.quantile(lengths, LENGTH_QUANTILE, method="higher"))))
    texts = _truncate_in_chunks(texts, length)
    kind = _infer_token_kind(texts) if kind == "auto" else kind
    messages = [
        *said,
        f"texts are truncated to {length:,} characters; {int((lengths > length).sum()):,} of {len(texts):,} "
        f"training texts are longer",
    ]
    streams = {}
    for stream in ("words", "characters") if kind == "words" else ("characters",):
        entries, counts = tokens.build_vocabulary(texts, stream, max_tokens=vocabulary)
        steps = max(1, int(np.quantile(counts, 0.995, method="higher")))
        streams[stream] = {"vocabulary": entries, "length": steps}
        messages.append(f"the vocabulary has {len(entries):,} {stream}, those that occur twice or more in training")
    y_true = read_target(frame, target)
    target_statistics = (
        {"counts": count_classes(y_true, target["classes"])}
        if target["classes"]
        else {"mean": float(y_true.mean()), "scale": float(y_true.std()) or 1.0}
    )
    return {
        "task": target["task"],
        "target": {**target, **target_statistics},
        "cleaning": messages,
        "reading": dict(reading or {}),
        "inputs": {INPUT_NAME: {"dtype": "string", "column": text}},
        "length": length,
        "tokens": kind,
        "streams": streams,
    }


def prepare_texts(info: Mapping[str, Any]) -> Any:
    """Make the preprocessing model from strings to token ids.

    Its outputs are `{"words": (rows, words), "characters": (rows, characters)}`, or only characters where they are the
    tokens. Id 0 is padding, 1 an unknown token.
    """
    import keras

    text = keras.Input((1,), name=INPUT_NAME, dtype="string")
    truncated = tokens.CutText(info["length"], name="cut")(text)
    ids = {name: tokens.token_ids(truncated, name, **stream, name=name) for name, stream in info["streams"].items()}
    return keras.Model({INPUT_NAME: text}, ids, name="prepare")


def text_rows(frame: Any, info: Mapping[str, Any], prepare: Any) -> Rows:
    """Make a dataset of token ids: in memory, or memory-mapped if they do not fit."""
    from tfkit.datasets.batch_predict import compiled_predictor

    raw = {INPUT_NAME: text_array(frame[info["inputs"][INPUT_NAME]["column"]]).reshape(-1, 1)}
    to_ids = compiled_predictor(prepare, raw)
    targets = read_target(frame, info["target"])
    if info["task"] == "regression":
        targets = ((targets - info["target"]["mean"]) / info["target"]["scale"]).astype("float32")
    record_dtype = record_of(to_ids({INPUT_NAME: raw[INPUT_NAME][:1]}))
    if fits(record_dtype.itemsize * len(frame)):
        return Rows(to_ids(raw), targets, raw=raw).named(frame.index.to_numpy() + 1)
    array = lying((len(frame),), record_dtype)
    log.info("The token ids do not fit into memory; they are stored on disk: %.1f GB", array.nbytes / 1e9)
    for start in range(0, len(frame), CHUNK_ROWS):
        for name, ids in to_ids({INPUT_NAME: raw[INPUT_NAME][start : start + CHUNK_ROWS]}).items():
            array[name][start : start + len(ids)] = ids
    dataset = Stored(array, np.arange(len(frame)), targets, raw=lambda indices: {INPUT_NAME: raw[INPUT_NAME][indices]})
    return dataset.named(frame.index.to_numpy() + 1)


def learn_ngrams(train: Rows, *, most: int) -> dict[str, Any]:
    """Find the frequent n-grams of each kind of token.

    They are the parameters of `tfkit.layers.NgramEmbedding`. With words: n-grams of one and two words, and of two to
    five characters. With characters only: n-grams of one to four characters.

    Args:
        train: Training rows made by `text_rows`.
        most: The maximum number of n-grams of each kind.

    Returns:
        For each kind of token its `sizes` and `ngrams`.
    """
    ids = train.arrays[0]
    if isinstance(train, Stored):
        ids = {name: train.array[name] for name in train.array.dtype.fields or ()}
    sizes = {"words": [1, 2], "characters": [2, 3, 4, 5] if "words" in ids else [1, 2, 3, 4]}
    return {
        name: {"sizes": sizes[name], "ngrams": frequent_ngrams(stream_ids, sizes=sizes[name], most=most)}
        for name, stream_ids in ids.items()
    }


def read_texts(source: Any, info: Mapping[str, Any], *, target: bool = False, own: bool = False) -> Any:
    """Read texts in the form of the inputs of the saved model.

    Empty texts, and texts of unknown tokens, are logged as warnings.

    Args:
        source: The path of a table or of a folder of .txt files, a DataFrame, a dictionary of columns, a list of texts.
        info: The result of `learn_texts`.
        target: Whether to return the targets too; rows without a target are dropped with a warning.
        own: Whether to return the source's own columns too, to be written beside the predictions; of a folder the
            paths.

    Returns:
        `{"text": (rows, 1)}` strings; with `target`, also the targets `(rows,)`; with `own`, also a DataFrame.

    Raises:
        UserError: If there are no rows (with `target`, no rows with a target), a column does not exist, or the text
            column has numbers.
    """
    column, name = info["inputs"][INPUT_NAME]["column"], info["target"]["name"]
    frame, _ = read_text_frame(source, text=column, target=name, **info["reading"])
    check_columns(frame, [column, *([name] if target else [])])
    if target:
        has_target = frame[name].notna()
        if not has_target.any():
            raise UserError(
                f"There must be rows with a target to score. Received: {name!r}, missing in all {len(frame):,} rows"
            )
        if not has_target.all():
            log.warning("%s of %s rows dropped: no %s", f"{(~has_target).sum():,}", f"{len(frame):,}", name)
        frame = frame[has_target]
    check_is_text(frame[column])
    texts = text_array(frame[column])
    _warn_about_unreadable(texts, info)
    outputs: list[Any] = [{INPUT_NAME: texts.reshape(-1, 1)}]
    if target:
        outputs.append(read_target(frame, info["target"]))
    if own:
        outputs.append(frame)
    return tuple(outputs) if len(outputs) > 1 else outputs[0]


def _truncate_in_chunks(texts: np.ndarray, length: int) -> np.ndarray:
    """Truncate texts exactly as the saved model does, chunk by chunk.

    So vocabularies are built from the same characters that the model reads.
    """
    import tensorflow as tf

    chunks = [texts[start : start + CHUNK_ROWS] for start in range(0, len(texts), CHUNK_ROWS)]
    return np.concatenate([tokens.truncate(tf.constant(chunk), length).numpy() for chunk in chunks])


def _infer_token_kind(texts: np.ndarray) -> str:
    """Return "words", or "characters" if too many letters are of unspaced scripts."""
    import tensorflow as tf

    sample = tf.constant(texts[:: max(1, len(texts) // CHUNK_ROWS)])
    letters = tf.strings.regex_replace(sample, r"[^\pL]", "")
    spaced = tf.strings.regex_replace(letters, f"[{tokens.UNSPACED_SCRIPTS}]", "")
    num_letters, num_spaced = (
        float(tf.reduce_sum(tf.strings.length(strings, unit="UTF8_CHAR"))) for strings in (letters, spaced)
    )
    return "characters" if num_letters - num_spaced > MAX_UNSPACED_FRACTION * num_letters else "words"


def _warn_about_unreadable(texts: np.ndarray, info: Mapping[str, Any]) -> None:
    """Log warnings about empty texts, and about mostly unknown tokens."""
    import tensorflow as tf

    num_empty = int(sum(not text.strip() for text in texts))
    if num_empty:
        log.warning("%s of %s texts are empty; they get a prediction too", f"{num_empty:,}", f"{len(texts):,}")
    stream = info["tokens"]
    vocabulary = {token.encode() for token in info["streams"][stream]["vocabulary"]}
    truncated = tokens.truncate(tf.constant(texts[:CHUNK_ROWS]), info["length"])
    sample_tokens = tokens.tokenize(truncated, stream).flat_values.numpy()
    num_unknown = sum(token not in vocabulary for token in sample_tokens.tolist())
    if num_unknown > 0.5 * max(1, len(sample_tokens)):
        percent = 100 * num_unknown / len(sample_tokens)
        log.warning("%.0f%% of the %s of these texts are not in the vocabulary", percent, stream)
