"""Augmentation of training images, against NumPy, and its reproducibility."""

import numpy as np
import pytest
import tensorflow as tf

import tfkit
from tfkit.data.image import augmentation
from tfkit.data.image.augmentation import augment_images
from tfkit.metadata import Metadata, Target

RANDOM = np.random.default_rng(0)
ROWS, HEIGHT, WIDTH = 64, 9, 7
PIXELS = RANDOM.integers(0, 256, (ROWS, HEIGHT, WIDTH, 3), dtype="uint8")
Y = RANDOM.integers(0, 3, ROWS).astype("int32")
CLASSIFICATION = Metadata(target=Target(task="classification", classes=["a", "b", "c"]))
REGRESSION = Metadata()


def augmented(metadata=CLASSIFICATION, x=PIXELS, y=Y, weight=None, seed=(0, 7), **settings):
    """Augment a batch in a compiled function, as a training step does."""
    augment = augment_images(metadata, **settings)
    step = tf.function(augment, autograph=False)
    batch = [None if values is None else tf.constant(values) for values in (x, y, weight)]
    return [None if values is None else values.numpy() for values in step(*batch, tf.constant(seed, "int64"))]


def affine(image, matrix, shift):
    """Apply an affine map about the center: linear interpolation, repeated edges."""
    height, width = image.shape[:2]
    center = np.array([(width - 1) / 2, (height - 1) / 2])
    out = np.zeros(image.shape)
    for y in range(height):
        for x in range(width):
            position = matrix @ (np.array([x, y]) - center) + center + shift
            position = np.clip(position, 0, [width - 1, height - 1])
            low = np.floor(position).astype(int)
            high, fraction = np.minimum(low + 1, [width - 1, height - 1]), position - low
            top = image[low[1], low[0]] * (1 - fraction[0]) + image[low[1], high[0]] * fraction[0]
            bottom = image[high[1], low[0]] * (1 - fraction[0]) + image[high[1], high[0]] * fraction[0]
            out[y, x] = top * (1 - fraction[1]) + bottom * fraction[1]
    return out


def test_shift_rotation_zoom_and_flips_are_one_affine_map():
    images = RANDOM.normal(size=(5, HEIGHT, WIDTH, 2)).astype("float32")
    uniform = RANDOM.random((5, 6)).astype("float32")
    outputs = augmentation._random_affine(
        tf.constant(images), tf.constant(uniform), 0.2, 30.0, 0.25, (True, True)
    ).numpy()
    for image, parameters, output in zip(images, 2.0 * uniform - 1.0, outputs, strict=True):
        shift_x, shift_y, turn, log_scale, flip_x, flip_y = parameters
        angle = np.deg2rad(30.0) * turn
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        scaling = np.diag([np.sign(flip_x), np.sign(flip_y)]) * 1.25**log_scale
        expected = affine(image, rotation @ scaling, np.array([shift_x * 0.2 * WIDTH, shift_y * 0.2 * HEIGHT]))
        np.testing.assert_allclose(output, expected, atol=1e-4)


def test_no_settings_give_no_augmentation():
    assert augment_images(CLASSIFICATION) is None


@pytest.mark.parametrize(
    ("flip", "transforms"),
    [
        ("horizontal", [lambda p: p, lambda p: p[:, ::-1]]),
        ("vertical", [lambda p: p, lambda p: p[::-1]]),
        ("both", [lambda p: p, lambda p: p[:, ::-1], lambda p: p[::-1], lambda p: p[::-1, ::-1]]),
    ],
)
def test_flips_are_exact_and_equally_frequent(flip, transforms):
    images = np.tile(PIXELS, (8, 1, 1, 1))
    x, y, weight = augmented(flip=flip, x=images, y=np.tile(Y, 8))
    assert x.dtype == "uint8"
    assert weight is None
    np.testing.assert_array_equal(y, np.tile(Y, 8))
    matches = [
        [np.array_equal(output, transform(image)) for transform in transforms]
        for output, image in zip(x, images, strict=True)
    ]
    assert (np.sum(matches, axis=1) == 1).all()
    assert np.abs(np.mean(matches, axis=0) - 1 / len(transforms)).max() < 0.1  # four standard deviations of 512 samples


@pytest.mark.parametrize(
    "settings",
    [
        {"translation": 0.3},
        {"rotation": 90.0},
        {"zoom": 0.5},
        {"color_jitter": 0.5},
        {"mixup": 1.0},
        {"cutmix": 1.0},
        {"mixup": 0.2, "cutmix": 1.0},
    ],
)
def test_results_depend_on_the_seed_only(settings):
    reference, repeated, different = augmented(**settings), augmented(**settings), augmented(**settings, seed=(0, 8))
    for expected, values in zip(reference, repeated, strict=True):
        np.testing.assert_array_equal(values, expected)
    assert (reference[0] != different[0]).any()
    assert reference[0].dtype == "uint8"
    assert reference[0].shape == PIXELS.shape


def test_each_image_of_a_batch_has_its_own_parameters():
    copies = np.repeat(PIXELS[:1], ROWS, axis=0)
    for settings in ({"translation": 0.3}, {"color_jitter": 0.5}):
        assert len(np.unique(augmented(x=copies, **settings)[0].reshape(ROWS, -1), axis=0)) > ROWS / 2


def test_color_jitter_changes_brightness_contrast_and_saturation():
    images = RANDOM.uniform(60, 160, (40, 6, 6, 3)).astype("float32")
    uniform = RANDOM.random((40, 3)).astype("float32")
    outputs = augmentation._color_jitter(tf.constant(images), tf.constant(uniform), 0.3).numpy().astype("float64")
    for image, changes, output in zip(images.astype("float64"), 0.3 * (2.0 * uniform - 1.0), outputs, strict=True):
        mean = image.mean()
        expected = (image - mean) * (1 + changes[1]) + mean * (1 + changes[0])
        gray = (expected @ [0.299, 0.587, 0.114])[..., None]
        np.testing.assert_allclose(output, gray + (expected - gray) * (1 + changes[2]), atol=1e-3)
    gray = augmentation._color_jitter(tf.constant(images[..., :1]), tf.constant(uniform), 0.3)
    assert gray.shape == (40, 6, 6, 1)


def test_mixup_averages_images_with_the_weights_of_their_targets():
    x, y, weight = augmented(mixup=1.0, weight=np.arange(ROWS, dtype="float32"))
    one_hot = np.eye(3)[Y]
    differ = np.flatnonzero(np.diff([Y, Y[::-1]], axis=0)[0])
    fraction = np.array([y[i, Y[i]] for i in range(ROWS)])  # of the image itself, if its partner has a different class
    np.testing.assert_allclose(y.sum(axis=1), 1, atol=1e-6)
    for i in differ:
        expected = fraction[i] * PIXELS[i] + (1 - fraction[i]) * PIXELS[::-1][i]
        assert np.abs(x[i] - expected).max() <= 0.51
        np.testing.assert_allclose(y[i], fraction[i] * one_hot[i] + (1 - fraction[i]) * one_hot[::-1][i], atol=1e-6)
        assert weight[i] == pytest.approx(fraction[i] * i + (1 - fraction[i]) * (ROWS - 1 - i), abs=1e-3)
    assert 0.3 < fraction[differ].mean() < 0.7
    assert fraction[differ].std() > 0.2  # Beta(1, 1) is uniform: 0.29


def test_cutmix_replaces_one_box_and_its_area_is_the_weight_of_the_target():
    x, y, _ = augmented(cutmix=1.0, metadata=REGRESSION, y=np.arange(ROWS, dtype="float32"))
    is_original = (x == PIXELS).all(axis=-1)
    is_partner = (x == PIXELS[::-1]).all(axis=-1)
    assert (is_original | is_partner).all()
    for i in range(ROWS):
        rows, columns = np.where(~is_original[i])
        if len(rows):
            box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
            assert is_original[i][box].sum() <= 1, "one box"
    fraction = is_original.mean(axis=(1, 2))
    expected = fraction * np.arange(ROWS) + (1 - fraction) * np.arange(ROWS)[::-1]
    np.testing.assert_allclose(y, expected, atol=0.01 * ROWS)
    assert 0.1 < (1 - fraction).mean() < 0.6


def test_mixup_and_cutmix_are_each_applied_to_half_of_the_images():
    x, _, _ = augmented(mixup=1.0, cutmix=1.0)
    has_box = ((x == PIXELS).all(axis=-1) | (x == PIXELS[::-1]).all(axis=-1)).all(axis=(1, 2)).mean()
    assert 0.25 < has_box < 0.75


def test_a_small_beta_parameter_changes_most_images_little():
    _, y, _ = augmented(mixup=0.1, metadata=REGRESSION, y=np.repeat([0.0, 1.0], ROWS // 2).astype("float32"))
    assert (np.minimum(y, 1 - y) < 0.05).mean() > 0.5


def test_the_loss_accepts_class_probabilities_and_class_indices():
    logits = RANDOM.normal(size=(ROWS, 3)).astype("float32")
    loss = tfkit.losses.SparseLabelSmoothingCrossentropy(0.1)
    assert float(loss(np.eye(3, dtype="float32")[Y], logits)) == pytest.approx(float(loss(Y, logits)), rel=1e-6)
    probabilities = RANDOM.dirichlet([1.0, 1.0, 1.0], ROWS)
    log_probabilities = logits - np.log(np.exp(logits.astype("float64")).sum(axis=1, keepdims=True))
    expected = -((0.9 * probabilities + 0.1 / 3) * log_probabilities).sum(axis=1).mean()
    assert float(loss(probabilities.astype("float32"), logits)) == pytest.approx(expected, rel=1e-5)
