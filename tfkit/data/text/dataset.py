"""Datasets of texts."""

import logging
from typing import TYPE_CHECKING

import numpy as np

from tfkit.data.columns.targets import read_target, scale_targets
from tfkit.data.text.columns import CHUNK_ROWS, text_array
from tfkit.data.text.metadata import NgramVocabulary, TextMetadata
from tfkit.data.text.ngrams import fit_ngram_vocabulary
from tfkit.data.text.preprocessing import INPUT_NAME
from tfkit.datasets.array import ArrayDataset
from tfkit.datasets.memmap import MemmapDataset, allocate_memmap, fits_in_memory, record_dtype

if TYPE_CHECKING:
    import keras
    import pandas as pd

log = logging.getLogger("tfkit")


def make_dataset(frame: "pd.DataFrame", metadata: TextMetadata, preprocessor: "keras.Model") -> ArrayDataset:
    """Make a dataset of token ids: in memory, or memory-mapped if they do not fit."""
    from tfkit.datasets.batch_predict import compiled_predictor

    raw = {INPUT_NAME: text_array(frame[metadata.inputs[INPUT_NAME]["column"]]).reshape(-1, 1)}
    to_ids = compiled_predictor(preprocessor, raw)
    y = read_target(frame, metadata.target)
    targets = scale_targets(y, metadata.target)
    dtype = record_dtype(to_ids({INPUT_NAME: raw[INPUT_NAME][:1]}))
    if fits_in_memory(dtype.itemsize * len(frame)):
        dataset = ArrayDataset(to_ids(raw), targets, raw=raw)
        return dataset.with_row_ids(frame.index.to_numpy() + 1).with_target_values(y)
    array = allocate_memmap((len(frame),), dtype)
    log.info("The token ids do not fit into memory; they are stored on disk: %.1f GB", array.nbytes / 1e9)
    for start in range(0, len(frame), CHUNK_ROWS):
        for name, ids in to_ids({INPUT_NAME: raw[INPUT_NAME][start : start + CHUNK_ROWS]}).items():
            array[name][start : start + len(ids)] = ids
    on_disk = MemmapDataset(
        array, np.arange(len(frame)), targets, raw=lambda indices: {INPUT_NAME: raw[INPUT_NAME][indices]}
    )
    return on_disk.with_row_ids(frame.index.to_numpy() + 1).with_target_values(y)


def fit_ngram_vocabularies(train: ArrayDataset, *, max_ngrams: int) -> dict[str, NgramVocabulary]:
    """Select the frequent n-grams of each kind of token.

    They are the parameters of `tfkit.layers.NgramEmbedding`. With words: n-grams of one and two words, and of two to
    five characters. With characters only: n-grams of one to four characters.

    Args:
        train: Training rows made by `make_dataset`.
        max_ngrams: Maximum number of n-grams of each kind of token.
    """
    ids = train.arrays[0]
    if isinstance(train, MemmapDataset):
        ids = {name: train.array[name] for name in train.array.dtype.fields or ()}
    sizes = {"words": [1, 2], "characters": [2, 3, 4, 5] if "words" in ids else [1, 2, 3, 4]}
    return {
        name: NgramVocabulary(
            sizes=sizes[name], ngrams=fit_ngram_vocabulary(token_ids, sizes=sizes[name], max_ngrams=max_ngrams)
        )
        for name, token_ids in ids.items()
    }
