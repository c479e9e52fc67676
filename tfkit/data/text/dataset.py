"""Datasets of texts."""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np

from tfkit.data.columns.target import read_target
from tfkit.data.text.columns import (
    CHUNK_ROWS,
    text_array,
)
from tfkit.data.text.ngrams import fit_ngram_vocabulary
from tfkit.data.text.preprocessing import INPUT_NAME
from tfkit.datasets.array import ArrayDataset
from tfkit.datasets.memmap import MemmapDataset, allocate_memmap, fits_in_memory, record_dtype

log = logging.getLogger("tfkit")


def text_rows(frame: Any, info: Mapping[str, Any], prepare: Any) -> ArrayDataset:
    """Make a dataset of token ids: in memory, or memory-mapped if they do not fit."""
    from tfkit.datasets.batch_predict import compiled_predictor

    raw = {INPUT_NAME: text_array(frame[info["inputs"][INPUT_NAME]["column"]]).reshape(-1, 1)}
    to_ids = compiled_predictor(prepare, raw)
    targets = read_target(frame, info["target"])
    if info["task"] == "regression":
        targets = ((targets - info["target"]["mean"]) / info["target"]["scale"]).astype("float32")
    dtype = record_dtype(to_ids({INPUT_NAME: raw[INPUT_NAME][:1]}))
    if fits_in_memory(dtype.itemsize * len(frame)):
        return ArrayDataset(to_ids(raw), targets, raw=raw).named(frame.index.to_numpy() + 1)
    array = allocate_memmap((len(frame),), dtype)
    log.info("The token ids do not fit into memory; they are stored on disk: %.1f GB", array.nbytes / 1e9)
    for start in range(0, len(frame), CHUNK_ROWS):
        for name, ids in to_ids({INPUT_NAME: raw[INPUT_NAME][start : start + CHUNK_ROWS]}).items():
            array[name][start : start + len(ids)] = ids
    dataset = MemmapDataset(
        array, np.arange(len(frame)), targets, raw=lambda indices: {INPUT_NAME: raw[INPUT_NAME][indices]}
    )
    return dataset.named(frame.index.to_numpy() + 1)


def learn_ngrams(train: ArrayDataset, *, most: int) -> dict[str, Any]:
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
    if isinstance(train, MemmapDataset):
        ids = {name: train.array[name] for name in train.array.dtype.fields or ()}
    sizes = {"words": [1, 2], "characters": [2, 3, 4, 5] if "words" in ids else [1, 2, 3, 4]}
    return {
        name: {"sizes": sizes[name], "ngrams": fit_ngram_vocabulary(stream_ids, sizes=sizes[name], most=most)}
        for name, stream_ids in ids.items()
    }
