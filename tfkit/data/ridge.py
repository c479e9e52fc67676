"""A linear head that is solved, not trained: ridge regression, its strength chosen by leaving out each row in turn."""

from typing import Any

import numpy as np

STRENGTHS = np.logspace(-3, 5, 17)
SHARPNESS = np.logspace(-1, 2, 61)
BLOCK = 1024  # features at a time


def ridge_head(split: Any, info: Any, *, name: str = "features") -> list[np.ndarray]:
    """The weights of a linear head, solved on all rows of a split: kernel `(features, answers)`, bias `(answers,)`.

    Ridge regression of the number, or of +1 and -1 for each class, on features that stand on one scale. For each of 17
    strengths the answer to every row by a model that was fitted without it has a closed form (Golub et al. 1979,
    https://doi.org/10.1080/00401706.1979.10489751); the strength with the least squared error of these is taken. What
    is answered for classes is multiplied by the one number that makes the log loss of those answers smallest, so that
    it can be read as logits (the truth counts one row for each class besides, in the manner of Platt 1999, so that few
    rows make no certainty). Time grows with the third power of the rows: some seconds for 2,000.

    Args:
        split: Rows whose x has the features, `(rows, features)`; their weights count.
        info: What was learnt of the target: `info["target"]["classes"]` is read.
        name: Of the features in x.

    Example:
        >>> import tfkit
        >>> x = np.random.default_rng(0).normal(size=(40, 3))
        >>> rows = tfkit.Rows({"features": x}, (x[:, 0] > 0).astype(int))
        >>> kernel, bias = ridge_head(rows, {"target": {"classes": ["no", "yes"]}})
        >>> bool(((x @ kernel + bias).argmax(axis=1) == (x[:, 0] > 0)).mean() > 0.9)
        True
    """
    x, y, weight = split.take(np.arange(len(split)))
    x, y = np.asarray(x[name], "float32"), np.asarray(y).reshape(-1)
    weight = np.ones(len(y)) if weight is None else np.asarray(weight, "float64")
    classes = info["target"]["classes"]
    goal = 2.0 * np.eye(len(classes))[y] - 1 if classes else y[:, None].astype("float64")
    mean, centre = (np.average(part, axis=0, weights=weight) for part in (x, goal))
    root = np.sqrt(weight)[:, None]
    blocks = [slice(start, start + BLOCK) for start in range(0, x.shape[1], BLOCK)]

    def centred(block: slice) -> np.ndarray:
        return root * (x[:, block] - mean[block])

    inner = sum(part @ part.T for part in map(centred, blocks))
    dual, off = _solved(np.asarray(inner), root * (goal - centre), root[:, 0])
    kernel = np.concatenate([centred(block).T @ dual for block in blocks])
    bias = centre - mean @ kernel
    sharp = _sharpness(goal - off / root, y, weight, len(classes)) if classes else 1.0
    return [sharp * kernel, sharp * bias]


def _solved(inner: np.ndarray, goal: np.ndarray, root: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The dual weights at the best strength, and how far each row's answer is off where it was left out."""
    values, vectors = np.linalg.eigh(inner)
    values = np.maximum(values, 0)
    free = np.abs(root @ vectors).argmax()  # the direction of the mean, which is not shrunk
    turned, best = vectors.T @ goal, None
    for strength in STRENGTHS:
        shrunk = 1 / (values + strength)
        shrunk[free] = 0
        dual = vectors @ (shrunk[:, None] * turned)
        off = dual / np.maximum((vectors**2 @ shrunk)[:, None], 1e-30)
        if best is None or (off**2).sum() < best[0]:
            best = (off**2).sum(), dual, off
    assert best is not None
    return best[1], best[2]


def _sharpness(answers: np.ndarray, y: np.ndarray, weight: np.ndarray, classes: int) -> float:
    """What the answers are multiplied by so that their log loss is smallest."""
    truth = (len(y) * np.eye(classes)[y] + 1) / (len(y) + classes)
    losses = []
    for sharp in SHARPNESS:
        logits = sharp * answers
        logits = logits - logits.max(axis=1, keepdims=True)
        logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        losses.append(-np.average((truth * logs).sum(axis=1), weights=weight))
    return float(SHARPNESS[int(np.argmin(losses))])
