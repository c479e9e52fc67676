"""The words that mattered for the texts that a model is most wrong about."""

import re
from typing import Any

import numpy as np

from tfkit.report.evidence.trained import Trained, beside, row_loss

SHOWN = 6
PIECES = 40  # of a text that are left out one by one
LONGEST = 600  # characters of a text


def texts(trained: Trained) -> dict[str, Any]:
    """Of the worst test texts, how much surer or less sure the answer gets when a word is left out (occlusion)."""
    truth, answer = trained.said["test"]
    classes, (name, *_) = trained.info["target"]["classes"], trained.info["inputs"]
    worst = np.argsort(-row_loss(truth, answer, trained.info), kind="stable")[:SHOWN]
    some = [str(text)[:LONGEST] for text in np.asarray(trained.test.raw(worst)[name]).ravel().tolist()]
    spaced = trained.info.get("tokens") != "characters"
    split = [pieces(text, spaced) for text in some]
    asked, owners = [], []
    for number, parts in enumerate(split):
        asked += ["".join(parts), *("".join(parts[:i] + parts[i + 1 :]) for i in range(len(parts)))]
        owners += [number] * (len(parts) + 1)
    said = trained.answer({name: np.array(asked, object).reshape(-1, 1)})
    found = []
    for number, row in enumerate(worst.tolist()):
        mine = said[np.array(owners) == number]
        guess = int(mine[0].argmax()) if classes else None
        scores = mine[:, guess] if classes else mine.reshape(-1)
        found.append(
            beside(truth[row], mine[0], classes)
            | {
                "pieces": [
                    [word, round(float(scores[0] - score), 5)]
                    for word, score in zip(split[number], scores[1:], strict=True)
                ],
            }
        )
    return {"worst": found}


def pieces(text: str, spaced: bool) -> list[str]:
    """A text in at most 40 pieces that can be left out: words with the space after them, or characters.

    Example:
        >>> pieces("not  bad", True), pieces("不错", False), len(pieces("a " * 100, True))
        (['not  ', 'bad'], ['不', '错'], 34)
    """
    parts = re.findall(r"\S+\s*", text) if spaced else list(text)
    together = -(-len(parts) // PIECES) or 1
    return ["".join(parts[i : i + together]) for i in range(0, len(parts), together)] or [text]
