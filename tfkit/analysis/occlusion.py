"""Find the texts with the largest errors, with word importance by occlusion."""

import re
from typing import Any

import numpy as np

from tfkit.analysis.fitted_model import FittedModel

MAX_TEXTS = 6

MAX_SEGMENTS = 40  # segments of a text that are removed one by one

MAX_CHARACTERS = 600  # characters of a text


def texts(fitted: FittedModel) -> dict[str, Any]:
    """Return the worst test texts, with the importance of each word."""
    y_true, y_pred = fitted.predictions["test"]
    name = next(iter(fitted.metadata.inputs))
    worst, num_wrong = fitted.worst_rows(y_true, y_pred, MAX_TEXTS)
    if not num_wrong:
        return {"worst": [], "num_wrong": 0}
    worst_texts = [
        str(text)[:MAX_CHARACTERS] for text in np.asarray(fitted.test.raw_inputs(worst)[name]).ravel().tolist()
    ]
    has_spaces = getattr(fitted.metadata, "tokenization", None) != "characters"
    segments = [split_segments(text, has_spaces) for text in worst_texts]
    variants, text_indices = [], []
    for i, parts in enumerate(segments):
        variants += ["".join(parts), *("".join(parts[:j] + parts[j + 1 :]) for j in range(len(parts)))]
        text_indices += [i] * (len(parts) + 1)
    outputs = fitted.predict({name: np.array(variants, object).reshape(-1, 1)})
    results = []
    for i, row in enumerate(worst.tolist()):
        text_outputs = outputs[np.array(text_indices) == i]
        columns = text_outputs.reshape(len(text_outputs), -1)
        scores = columns[:, int(columns[0].argmax())]  # of the predicted class, or the most likely tag
        results.append(
            fitted.label_and_prediction(y_true[row], text_outputs[0])
            | {
                "segments": [
                    [segment, round(float(scores[0] - score), 5)]
                    for segment, score in zip(segments[i], scores[1:], strict=True)
                ],
            }
        )
    return {"worst": results, "num_wrong": num_wrong}


def split_segments(text: str, has_spaces: bool) -> list[str]:
    """Split a text into at most 40 segments of words or characters.

    Words include the space after them.

    Example:
        >>> split_segments("not  bad", True), split_segments("不错", False), len(split_segments("a " * 100, True))
        (['not  ', 'bad'], ['不', '错'], 34)
    """
    parts = re.findall(r"\S+\s*", text) if has_spaces else list(text)
    size = -(-len(parts) // MAX_SEGMENTS) or 1
    return ["".join(parts[i : i + size]) for i in range(0, len(parts), size)] or [text]
