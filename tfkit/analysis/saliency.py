"""Find the worst and the least confident images, with saliency maps."""

import base64
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tfkit.analysis.fitted_model import FittedModel

MAX_IMAGES = 8  # images of each group

MIN_SIDE_PIXELS = 96  # longer side of an image in the report; the maximum is twice that

OCCLUSION_TILES = 8  # tiles of a side

MIN_MAP_SIDE_PIXELS = 4  # side of a feature map for Grad-CAM


def images(fitted: FittedModel) -> dict[str, Any]:
    """Return the worst and the least confident test images as PNG, with saliency maps."""
    y_true, y_pred = fitted.predictions["test"]
    worst, num_wrong = fitted.worst_rows(y_true, y_pred, MAX_IMAGES)
    groups = {"worst": worst}
    if (confidence := fitted.task.confidence(y_pred)) is not None:
        groups["least_confident"] = np.argsort(confidence, kind="stable")[:MAX_IMAGES]
    rows = np.unique(np.concatenate(list(groups.values())))
    if not len(rows):
        return {"num_wrong": 0}
    pixels = np.asarray(fitted.test.raw_inputs(rows)["pixels"])
    method, maps = _saliency_maps(fitted, rows, pixels, y_pred[rows])
    image_and_map = dict(zip(rows.tolist(), zip(pixels, maps, strict=True), strict=True))
    row_ids = getattr(fitted.test, "row_ids", None)
    results: dict[str, Any] = {"method": method, "num_wrong": num_wrong}
    for group, group_rows in groups.items():
        results[group] = [
            fitted.label_and_prediction(y_true[row], y_pred[row])
            | ({} if row_ids is None else {"name": str(row_ids[row])})
            | {"image": png(image_and_map[row][0]), "saliency_map": png(_overlay(*image_and_map[row]))}
            for row in group_rows.tolist()
        ]
    return results


def _saliency_maps(
    fitted: FittedModel, rows: np.ndarray, pixels: np.ndarray, y_pred: np.ndarray
) -> tuple[str, np.ndarray]:
    """Return the saliency method and the maps, `(rows, height, width)` in [0, 1].

    The method is Grad-CAM, or occlusion for a model without feature maps.
    """
    maps = grad_cam(fitted.model, fitted.test.take(rows)[0], y_pred)
    return ("occlusion", _occlusion(fitted, pixels, y_pred)) if maps is None else ("Grad-CAM", maps)


def grad_cam(model: Any, x: Any, y_pred: np.ndarray) -> np.ndarray | None:
    """Compute Grad-CAM maps (Selvaraju et al. 2017, https://arxiv.org/abs/1610.02391).

    The feature map is the last output of any layer, including nested layers, of at least 4 x 4 pixels.

    Args:
        model: A Keras model of images.
        x: Images as the model takes them.
        y_pred: Probabilities `(rows, classes)`, of which the top class is explained; or values `(rows,)`.

    Returns:
        `(rows, height, width)` in [0, 1], as large as the feature map; None if no layer has one.
    """
    import tensorflow as tf

    with tf.GradientTape() as tape, record_feature_maps(model) as maps:
        outputs = model(x, training=False)
        score = tf.gather(outputs, y_pred.argmax(1), batch_dims=1) if y_pred.ndim > 1 else outputs[:, 0]
    gradient = tape.gradient(score, maps[-1]) if maps else None
    if gradient is None:
        return None
    weights = tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)
    return _scaled(np.asarray(tf.nn.relu(tf.reduce_sum(weights * maps[-1], axis=-1))))


@contextmanager
def record_feature_maps(model: Any) -> Iterator[list[Any]]:
    """Record the feature maps of all layers with weights, in order of computation."""
    maps: list[Any] = []

    def recording_call(layer: Any) -> Any:
        call = layer.call

        def call_and_record(*arguments: Any, **options: Any) -> Any:
            output = call(*arguments, **options)
            shape: Any = getattr(output, "shape", ())
            if len(shape) == 4 and min(shape[1], shape[2]) >= MIN_MAP_SIDE_PIXELS:
                maps.append(output)
            return output

        return call_and_record

    layers = [layer for layer in model._flatten_layers(include_self=False) if layer.trainable_weights]
    try:
        for layer in layers:
            layer.__dict__["call"] = recording_call(layer)  # not setattr, which Keras overrides
        yield maps
    finally:
        for layer in layers:
            layer.__dict__.pop("call", None)


def _occlusion(fitted: FittedModel, pixels: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    """Compute occlusion maps (Zeiler and Fergus 2014).

    Each value is the change of the prediction if a tile of the image is replaced by the mean color.
    """
    rows, height, width, _ = pixels.shape
    tile_rows, tile_columns = min(OCCLUSION_TILES, height), min(OCCLUSION_TILES, width)
    tops, lefts = (
        np.linspace(0, side, count + 1).astype(int) for side, count in ((height, tile_rows), (width, tile_columns))
    )
    occluded = np.repeat(pixels[:, None], tile_rows * tile_columns, axis=1)
    mean_color = np.round(pixels.reshape(-1, pixels.shape[-1]).mean(0)).astype("uint8")
    for tile in range(tile_rows * tile_columns):
        i, j = divmod(tile, tile_columns)
        occluded[:, tile, tops[i] : tops[i + 1], lefts[j] : lefts[j + 1]] = mean_color
    outputs = fitted.predict({"pixels": occluded.reshape(-1, *pixels.shape[1:])})
    if y_pred.ndim > 1:
        top: np.ndarray = np.repeat(y_pred.argmax(1), tile_rows * tile_columns)
        change = y_pred.max(1)[:, None] - outputs[np.arange(len(outputs)), top].reshape(rows, -1)
    else:
        change = np.abs(outputs.reshape(rows, -1) - y_pred[:, None])
    return _scaled(np.maximum(change, 0).reshape(rows, tile_rows, tile_columns))


def _scaled(maps: np.ndarray) -> np.ndarray:
    """Divide each map by its maximum."""
    largest = maps.reshape(len(maps), -1).max(1)[:, None, None]
    return np.divide(maps, largest, out=np.zeros_like(maps), where=largest > 0)


def _overlay(pixels: np.ndarray, saliency: np.ndarray) -> np.ndarray:
    """Return the image in grayscale with its saliency map in orange on top."""
    from PIL import Image

    gray = pixels.mean(-1, keepdims=True).repeat(3, -1)
    size = (pixels.shape[1], pixels.shape[0])
    heat = Image.fromarray((255 * saliency).astype("uint8")).resize(size, Image.Resampling.BICUBIC)
    opacity = 0.75 * np.asarray(heat, "float64")[..., None] / 255
    return ((1 - opacity) * gray + opacity * np.array([255, 140, 0])).astype("uint8")


def png(pixels: np.ndarray) -> str:
    """Encode an image `(height, width, channels)` uint8 as base64 PNG, after resizing."""
    from PIL import Image

    image = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    scale = max(1, MIN_SIDE_PIXELS // max(image.size))
    if max(image.size) > 2 * MIN_SIDE_PIXELS:
        image.thumbnail((2 * MIN_SIDE_PIXELS, 2 * MIN_SIDE_PIXELS))
    else:
        image = image.resize((scale * image.width, scale * image.height), Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()
