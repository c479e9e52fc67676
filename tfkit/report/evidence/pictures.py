"""The pictures that a model is most wrong about and least sure of, and where it looked."""

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tfkit.report.evidence.trained import Trained, beside, row_loss

SHOWN = 8  # of each
SIDE = 96  # pixels of the longer side, at least
TILES = 8  # of a side, for occlusion
SMALLEST = 4  # of a map's side that Grad-CAM says something with


def pictures(trained: Trained) -> dict[str, Any]:
    """The worst and the least sure test pictures as PNG, with what the net looked at laid over each."""
    truth, answer = trained.said["test"]
    classes = trained.info["target"]["classes"]
    loss = row_loss(truth, answer, trained.info)
    wanted = {"worst": np.argsort(-loss, kind="stable")[:SHOWN]}
    if classes:
        ordered = np.sort(answer, axis=1)
        wanted["unsure"] = np.argsort(ordered[:, -1] - ordered[:, -2], kind="stable")[:SHOWN]
    rows = np.unique(np.concatenate(list(wanted.values())))
    pixels = np.asarray(trained.test.raw(rows)["pixels"])
    how, maps = _looked(trained, rows, pixels, answer[rows])
    shown = dict(zip(rows.tolist(), zip(pixels, maps, strict=True), strict=True))
    names = getattr(trained.test, "names", None)
    found: dict[str, Any] = {"how": how}
    for which, some in wanted.items():
        found[which] = [
            beside(truth[row], answer[row], classes)
            | ({} if names is None else {"name": str(names[row])})
            | {"picture": png(shown[row][0]), "looked": png(_laid_over(*shown[row]))}
            for row in some.tolist()
        ]
    return found


def _looked(trained: Trained, rows: np.ndarray, pixels: np.ndarray, answer: np.ndarray) -> tuple[str, np.ndarray]:
    """Where the model looked, `(rows, height, width)` in [0, 1], and how that was found."""
    maps = grad_cam(trained.model, trained.test.take(rows)[0], answer)
    return ("occlusion", _occlusion(trained, pixels, answer)) if maps is None else ("Grad-CAM", maps)


def grad_cam(model: Any, x: Any, answer: np.ndarray) -> np.ndarray | None:
    """The parts of a map that speak for what is answered (Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391).

    The map is the last that any layer gives, those inside of layers too, that has 4 x 4 places at least.

    Args:
        model: A Keras model of pictures.
        x: Pictures as the model takes them.
        answer: Probabilities `(rows, classes)`; the top one's score is looked at. Or values `(rows,)`.

    Returns:
        `(rows, height, width)` in [0, 1], as large as the map; None where no layer gives one.
    """
    import tensorflow as tf

    with tf.GradientTape() as tape, maps_of(model) as maps:
        said = model(x, training=False)
        score = tf.gather(said, answer.argmax(1), batch_dims=1) if answer.ndim > 1 else said[:, 0]
    gradient = tape.gradient(score, maps[-1]) if maps else None
    if gradient is None:
        return None
    weights = tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)
    return _scaled(np.asarray(tf.nn.relu(tf.reduce_sum(weights * maps[-1], axis=-1))))


@contextmanager
def maps_of(model: Any) -> Iterator[list[Any]]:
    """While inside, every map that a layer with weights gives is added to the list, in the order of the computation."""
    maps: list[Any] = []

    def watching(layer: Any) -> Any:
        call = layer.call

        def watched(*arguments: Any, **options: Any) -> Any:
            output = call(*arguments, **options)
            shape: Any = getattr(output, "shape", ())
            if len(shape) == 4 and min(shape[1], shape[2]) >= SMALLEST:
                maps.append(output)
            return output

        return watched

    layers = [layer for layer in model._flatten_layers(include_self=False) if layer.trainable_weights]
    try:
        for layer in layers:
            layer.__dict__["call"] = watching(layer)  # not setattr, by which Keras would take notice
        yield maps
    finally:
        for layer in layers:
            layer.__dict__.pop("call", None)


def _occlusion(trained: Trained, pixels: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """How much less sure the answer is where a part of the picture is grey (Zeiler and Fergus 2014)."""
    rows, height, width, _ = pixels.shape
    down, across = min(TILES, height), min(TILES, width)
    tops, lefts = (np.linspace(0, side, count + 1).astype(int) for side, count in ((height, down), (width, across)))
    hidden = np.repeat(pixels[:, None], down * across, axis=1)
    middle = np.round(pixels.reshape(-1, pixels.shape[-1]).mean(0)).astype("uint8")
    for tile in range(down * across):
        i, j = divmod(tile, across)
        hidden[:, tile, tops[i] : tops[i + 1], lefts[j] : lefts[j + 1]] = middle
    said = trained.answer({"pixels": hidden.reshape(-1, *pixels.shape[1:])})
    if answer.ndim > 1:
        guess: np.ndarray = np.repeat(answer.argmax(1), down * across)
        change = answer.max(1)[:, None] - said[np.arange(len(said)), guess].reshape(rows, -1)
    else:
        change = np.abs(said.reshape(rows, -1) - answer[:, None])
    return _scaled(np.maximum(change, 0).reshape(rows, down, across))


def _scaled(maps: np.ndarray) -> np.ndarray:
    most = maps.reshape(len(maps), -1).max(1)[:, None, None]
    return np.divide(maps, most, out=np.zeros_like(maps), where=most > 0)


def _laid_over(pixels: np.ndarray, looked: np.ndarray) -> np.ndarray:
    """A picture in grey with what was looked at in orange over it."""
    from PIL import Image

    grey = pixels.mean(-1, keepdims=True).repeat(3, -1)
    size = (pixels.shape[1], pixels.shape[0])
    heat = Image.fromarray((255 * looked).astype("uint8")).resize(size, Image.Resampling.BICUBIC)
    share = 0.75 * np.asarray(heat, "float64")[..., None] / 255
    return ((1 - share) * grey + share * np.array([255, 140, 0])).astype("uint8")


def png(pixels: np.ndarray) -> str:
    """A picture `(height, width, channels)` uint8 as the text of a PNG, small ones made larger."""
    from PIL import Image

    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    scale = max(1, SIDE // max(image.size))
    if max(image.size) > 2 * SIDE:
        image.thumbnail((2 * SIDE, 2 * SIDE))
    else:
        image = image.resize((scale * image.width, scale * image.height), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()
