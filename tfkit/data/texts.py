"""Any rows of texts become what the model file takes; what is learnt of them is learnt from the training rows alone."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.data import cells, columns, tokens
from tfkit.data.cleaning import clean
from tfkit.data.ngrams import frequent_ngrams
from tfkit.data.splits import Rows
from tfkit.data.splitting import split_table
from tfkit.data.stored import Stored, fits, lying, record_of
from tfkit.data.tables import check_columns
from tfkit.data.targets import count_classes, listed, read_target
from tfkit.data.text_files import read_text_frame
from tfkit.errors import UserError

log = logging.getLogger("tfkit")

INPUT = "text"  # the one input of the model file
COVERED = 0.99  # share of the training texts that are read to their end
UNSPACED = 0.3  # share of letters of scripts without spaces, above which characters are the tokens
LOOKED_AT = 4096  # texts that are enough to judge all by


def load_texts(
    table: Any, text: str | None, target: str, *, test_table: Any = None, keep: Any = (), **reading: Any
) -> tuple[Any, Any, str, list[str]]:
    """Read texts with what is to be predicted of them, and a test table where there is one.

    Args:
        table, test_table: Whatever `read_text_frame` takes.
        text: The column of texts; None for the one with the longest.
        target: The column to predict.
        keep: Columns that are needed for splitting.
        reading: delimiter, encoding, missing of `read_frame`.

    Returns:
        The rows that can be learnt from, those of the test table or None, the column of texts, and what was done, in
        words.

    Raises:
        UserError: If there are no texts, a column is not there, or the texts are numbers.
    """
    frame, marked = read_text_frame(table, text=text, target=target, **reading)
    check_columns(frame, [target, *([text] if text else [])])
    name = text or _longest(frame, target)
    wanted = list(dict.fromkeys([name, target, *(column for column in keep if column)]))
    check_columns(frame, wanted)
    frame, said = _cleaned(frame[wanted], name, target, marked)
    if test_table is None:
        return frame, None, name, said
    test, marked = read_text_frame(test_table, text=name, target=target, **reading)
    check_columns(test, [name, target], "test table")
    test, more = _cleaned(test[[name, target]], name, target, marked, "test table")
    shared = keys(frame[name]).isin(keys(test[name])).to_numpy()
    if shared.all():
        raise UserError(
            f"The table must have texts that are not in the test table. Received: {len(frame):,} rows, all in both"
        )
    if shared.any():
        more.append(f"{int(shared.sum()):,} of {len(frame):,} rows left out: their text stands in the test table too")
    return frame[~shared], test, name, said + more


def split_texts(frame: Any, text: str, target: dict[str, Any], **settings: Any) -> tuple[Any, Any, Any]:
    """Training, validation and test rows as `split_table` makes them; rows of one text stay together.

    Capitals and white space do not make another text.
    """
    key = keys(frame[text])
    parts = split_table(frame[~key.duplicated()], target, **settings)
    train, val, test = (part if part is settings["test"] else frame[key.isin(keys(part[text]))] for part in parts)
    return train, val, test


def keys(texts: Any) -> Any:
    """What two texts have in common that one must not be a test of the other: their words, however they are written."""
    return texts.str.lower().str.split().str.join(" ")


def learn_texts(
    frame: Any,
    text: str,
    target: Mapping[str, Any],
    *,
    kind: str = "auto",
    max_length: int = 2000,
    vocabulary: int = 20_000,
    reading: Mapping[str, Any] | None = None,
    said: Any = (),
) -> dict[str, Any]:
    """Everything that is learnt from the training rows, as plain JSON.

    Args:
        frame: The training rows.
        text: The column of texts.
        target: What `learn_target` found of the column to predict.
        kind: What a token is: "words", "characters", or "auto" for characters where there are no spaces between words.
        max_length: The most characters of a text that are read.
        vocabulary: The most words, and the most characters, that are told apart.
        reading: delimiter, encoding, missing of `read_frame`; kept for later files.
        said: What was done before, in words, to be kept with the rest.

    Returns:
        `info`: task, target, inputs, and what `prepare_texts` is told.
    """
    texts = raw_texts(frame[text])
    lengths = np.array([len(one) for one in texts])
    length = max(1, min(max_length, int(np.quantile(lengths, COVERED, method="higher"))))
    texts = _in_pieces(texts, length)
    kind = _kind(texts) if kind == "auto" else kind
    said = [
        *said,
        f"texts are read to their character {length:,}; {int((lengths > length).sum()):,} of {len(texts):,} "
        f"training texts are longer, and are cut",
    ]
    streams = {}
    for stream in ("words", "characters") if kind == "words" else ("characters",):
        known, counts = tokens.vocabulary(texts, stream, most=vocabulary)
        steps = max(1, int(np.quantile(counts, 0.995, method="higher")))
        streams[stream] = {"vocabulary": known, "length": steps}
        said.append(f"{len(known):,} {stream} are known: they stand twice or more in the training texts")
    values = read_target(frame, target)
    learnt = (
        {"counts": count_classes(values, target["classes"])}
        if target["classes"]
        else {"mean": float(values.mean()), "scale": float(values.std()) or 1.0}
    )
    return {
        "task": target["task"],
        "target": {**target, **learnt},
        "cleaning": said,
        "reading": dict(reading or {}),
        "inputs": {INPUT: {"dtype": "string", "column": text}},
        "length": length,
        "tokens": kind,
        "streams": streams,
    }


def prepare_texts(info: Mapping[str, Any]) -> Any:
    """Told layers from strings to ids: `{"words": (rows, words), "characters": (rows, characters)}`.

    Only characters where they are the tokens. 0 is padding, 1 unknown.
    """
    import keras

    text = keras.Input((1,), name=INPUT, dtype="string")
    short = tokens.CutText(info["length"], name="cut")(text)
    ids = {name: tokens.ids(short, name, **told, name=name) for name, told in info["streams"].items()}
    return keras.Model({INPUT: text}, ids, name="prepare")


def text_rows(frame: Any, info: Mapping[str, Any], prepare: Any) -> Rows:
    """Rows of texts, prepared once and kept as a split; where its ids would fill the memory they lie on disk."""
    from tfkit.datasets.batch_predict import compiled_predictor

    raw = {INPUT: raw_texts(frame[info["inputs"][INPUT]["column"]]).reshape(-1, 1)}
    says = compiled_predictor(prepare, raw)
    truth = read_target(frame, info["target"])
    if info["task"] == "regression":
        truth = ((truth - info["target"]["mean"]) / info["target"]["scale"]).astype("float32")
    record = record_of(says({INPUT: raw[INPUT][:1]}))
    if fits(record.itemsize * len(frame)):
        return Rows(says(raw), truth, raw=raw).named(frame.index.to_numpy() + 1)
    array = lying((len(frame),), record)
    log.info("Too large for memory, so the ids of the texts lie on disk: %.1f GB", array.nbytes / 1e9)
    for start in range(0, len(frame), LOOKED_AT):
        for name, ids in says({INPUT: raw[INPUT][start : start + LOOKED_AT]}).items():
            array[name][start : start + len(ids)] = ids
    return Stored(array, np.arange(len(frame)), truth, raw=lambda places: {INPUT: raw[INPUT][places]}).named(
        frame.index.to_numpy() + 1
    )


def learn_ngrams(train: Rows, *, most: int) -> dict[str, Any]:
    """The frequent n-grams of each kind of tokens, as `tfkit.layers.NgramEmbedding` is told them.

    One and two words and two to five characters beside them, or one to four characters where these are the tokens.

    Args:
        train: Training rows of `text_rows`.
        most: How many n-grams of each kind at most.

    Returns:
        For each kind of tokens its `sizes` and `ngrams`.
    """
    ids = train.arrays[0]
    if isinstance(train, Stored):
        ids = {name: train.array[name] for name in train.array.dtype.fields or ()}
    sizes = {"words": [1, 2], "characters": [2, 3, 4, 5] if "words" in ids else [1, 2, 3, 4]}
    return {
        name: {"sizes": sizes[name], "ngrams": frequent_ngrams(some, sizes=sizes[name], most=most)}
        for name, some in ids.items()
    }


def read_texts(source: Any, info: Mapping[str, Any], *, target: bool = False, own: bool = False) -> Any:
    """Texts as the model file takes them, held against what was learnt.

    Args:
        source: The path of a table or of a folder of .txt files, a DataFrame, a dictionary of columns, a list of texts.
        info: What `learn_texts` gave.
        target: Whether the truth is wanted too; rows without it are left out, and said.
        own: Whether the source's own columns are wanted too, to stand beside the answers; of a folder the paths.

    Returns:
        `{"text": (rows, 1)}` strings; with `target`, also the truth `(rows,)`; with `own`, also a DataFrame.

    Raises:
        UserError: If there are no rows (with `target`, none whose truth is known), or a column is not there, or the
            texts are numbers.
    """
    column, name = info["inputs"][INPUT]["column"], info["target"]["name"]
    frame, _ = read_text_frame(source, text=column, target=name, **info["reading"])
    check_columns(frame, [column, *([name] if target else [])])
    if target:
        there = frame[name].notna()
        if not there.any():
            raise UserError(
                f"There must be rows with a target to score. Received: {name!r}, missing in all {len(frame):,}"
            )
        if not there.all():
            log.warning("%s of %s rows left out: no %s", f"{(~there).sum():,}", f"{len(frame):,}", name)
        frame = frame[there]
    _refuse_numbers(frame[column])
    texts = raw_texts(frame[column])
    _report(texts, info)
    found: list[Any] = [{INPUT: texts.reshape(-1, 1)}]
    if target:
        found.append(read_target(frame, info["target"]))
    if own:
        found.append(frame)
    return tuple(found) if len(found) > 1 else found[0]


def raw_texts(column: Any) -> np.ndarray:
    """Texts `(rows,)` as strings, "" where missing."""
    return cells.spelled(cells.plain(column))


def _cleaned(frame: Any, text: str, target: str, marked: Mapping[str, Any], what: str = "") -> tuple[Any, list[str]]:
    """Rows that have a target and a text, and what was done."""
    rows = len(frame)
    _refuse_numbers(frame[text])
    frame, said = clean(frame, target, duplicates="keep", what=what, marked=marked.get(target))
    frame = frame.assign(**{text: raw_texts(frame[text])})
    empty = (frame[text].str.strip() == "").to_numpy()
    if empty.all():
        raise UserError(f"The column of texts must hold some. Received: {text!r}, empty in every row with a target")
    if empty.any():
        said.append(f"{int(empty.sum()):,} of {rows:,} rows{f' of the {what}' if what else ''} left out: no {text}")
    return frame[~empty], said


def _longest(frame: Any, target: str) -> str:
    """The column whose cells are longest, among those of words."""
    sizes = {}
    for name, column in frame.items():
        plain = cells.plain(column.head(LOOKED_AT))
        if name != target and plain.dtype.kind not in "fM" and plain.notna().any():
            sizes[name] = float(plain.dropna().str.len().mean())
    if not sizes:
        raise UserError(f"The table must have a column of texts; name it with text=. Received: {listed(frame)}")
    return max(sizes, key=lambda name: sizes[name])


def _refuse_numbers(column: Any) -> None:
    """Refuse a column that holds numbers or dates: there are no words in it."""
    rule = columns.infer(column.head(LOOKED_AT))
    if "written" in rule or rule["kind"] in ("date", "empty"):
        what = "nothing" if rule["kind"] == "empty" else "dates" if rule["kind"] == "date" else "numbers"
        raise UserError(
            f"The column of texts must hold texts; name it with text=, or learn from other columns with "
            f"`tfkit train tabular`. Received: {column.name!r}, which holds {what}"
        )


def _in_pieces(texts: np.ndarray, length: int) -> np.ndarray:
    """The texts as they are read, so that what is learnt is what is seen."""
    import tensorflow as tf

    pieces = [texts[start : start + LOOKED_AT] for start in range(0, len(texts), LOOKED_AT)]
    return np.concatenate([tokens.cut(tf.constant(piece), length).numpy() for piece in pieces])


def _kind(texts: np.ndarray) -> str:
    """Words, but where too many letters are of scripts without spaces."""
    import tensorflow as tf

    some = tf.constant(texts[:: max(1, len(texts) // LOOKED_AT)])
    letters = tf.strings.regex_replace(some, r"[^\pL]", "")
    spaced = tf.strings.regex_replace(letters, f"[{tokens.UNSPACED}]", "")
    all_, few = (float(tf.reduce_sum(tf.strings.length(t, unit="UTF8_CHAR"))) for t in (letters, spaced))
    return "characters" if all_ - few > UNSPACED * all_ else "words"


def _report(texts: np.ndarray, info: Mapping[str, Any]) -> None:
    """Say what of these texts the model cannot read."""
    import tensorflow as tf

    empty = int(sum(not text.strip() for text in texts))
    if empty:
        log.warning("%s of %s texts are empty; they are answered as such", f"{empty:,}", f"{len(texts):,}")
    stream = info["tokens"]
    known = {word.encode() for word in info["streams"][stream]["vocabulary"]}
    found = tokens.split(tokens.cut(tf.constant(texts[:LOOKED_AT]), info["length"]), stream).flat_values.numpy()
    unknown = sum(word not in known for word in found.tolist())
    if unknown > 0.5 * max(1, len(found)):
        log.warning("%.0f%% of the %s of these texts were not in training", 100 * unknown / len(found), stream)
