"""A hash of the rows of a training."""

import hashlib

import keras
import numpy as np

from tfkit.datasets.batch_predict import index_chunks
from tfkit.recipe import Data


def fingerprint(data: Data) -> str:
    """Return the SHA-256 of all tensors of all splits; a resumed run compares it."""
    digest = hashlib.sha256()
    for split in (data.train, data.val, data.test):
        for indices in index_chunks(split):
            for tensor in keras.tree.flatten(split.take(indices)):
                if tensor is not None:
                    digest.update(np.ascontiguousarray(tensor).tobytes())
    return digest.hexdigest()
