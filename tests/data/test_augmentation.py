"""What is done to training pictures is what the settings say, and the same again for the same seed."""

import numpy as np
import pytest
import tensorflow as tf

import tfkit
from tfkit.data import augmentation
from tfkit.data.augmentation import augment_images

RANDOM = np.random.default_rng(0)
ROWS, HEIGHT, WIDTH = 64, 9, 7
PIXELS = RANDOM.integers(0, 256, (ROWS, HEIGHT, WIDTH, 3), dtype="uint8")
Y = RANDOM.integers(0, 3, ROWS).astype("int32")
CLASSES = {"task": "multiclass", "target": {"classes": ["a", "b", "c"]}}
NUMBER = {"task": "regression", "target": {"classes": None}}


def augmented(info=CLASSES, x=PIXELS, y=Y, weight=None, seed=(0, 7), **settings):
    """What a compiled step gets."""
    augment = augment_images(info, **settings)
    step = tf.function(augment, autograph=False)
    some = [None if each is None else tf.constant(each) for each in (x, y, weight)]
    return [None if each is None else each.numpy() for each in step(*some, tf.constant(seed, "int64"))]


def moved(picture, matrix, shift):
    """A picture through an affine map about its middle, read by linear interpolation, edges repeated."""
    height, width = picture.shape[:2]
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    out = np.zeros(picture.shape)
    for y in range(height):
        for x in range(width):
            at = matrix @ (np.array([x, y]) - middle) + middle + shift
            at = np.clip(at, 0, [width - 1, height - 1])
            low = np.floor(at).astype(int)
            high, share = np.minimum(low + 1, [width - 1, height - 1]), at - low
            top = picture[low[1], low[0]] * (1 - share[0]) + picture[low[1], high[0]] * share[0]
            bottom = picture[high[1], low[0]] * (1 - share[0]) + picture[high[1], high[0]] * share[0]
            out[y, x] = top * (1 - share[1]) + bottom * share[1]
    return out


def test_all_moves_are_one_affine_map():
    pictures = RANDOM.normal(size=(5, HEIGHT, WIDTH, 2)).astype("float32")
    chance = RANDOM.random((5, 6)).astype("float32")
    found = augmentation._moved(tf.constant(pictures), tf.constant(chance), 0.2, 30.0, 0.25, (True, True)).numpy()
    for picture, drawn, out in zip(pictures, 2.0 * chance - 1.0, found, strict=True):
        across, down, turn, larger, mirror, tumble = drawn
        angle = np.deg2rad(30.0) * turn
        turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        scaled = np.diag([np.sign(mirror), np.sign(tumble)]) * 1.25**larger
        expected = moved(picture, turned @ scaled, np.array([across * 0.2 * WIDTH, down * 0.2 * HEIGHT]))
        np.testing.assert_allclose(out, expected, atol=1e-4)


def test_nothing_to_do_is_no_augmentation():
    assert augment_images(CLASSES) is None


@pytest.mark.parametrize(
    ("flip", "forms"),
    [
        ("horizontal", [lambda p: p, lambda p: p[:, ::-1]]),
        ("vertical", [lambda p: p, lambda p: p[::-1]]),
        ("both", [lambda p: p, lambda p: p[:, ::-1], lambda p: p[::-1], lambda p: p[::-1, ::-1]]),
    ],
)
def test_flips_are_exact_and_equally_frequent(flip, forms):
    many = np.tile(PIXELS, (8, 1, 1, 1))
    x, y, weight = augmented(flip=flip, x=many, y=np.tile(Y, 8))
    assert x.dtype == "uint8"
    assert weight is None
    np.testing.assert_array_equal(y, np.tile(Y, 8))
    which = [[np.array_equal(out, form(p)) for form in forms] for out, p in zip(x, many, strict=True)]
    assert (np.sum(which, axis=1) == 1).all()
    assert np.abs(np.mean(which, axis=0) - 1 / len(forms)).max() < 0.1  # four deviations of 512 draws


@pytest.mark.parametrize(
    "settings",
    [
        {"shift": 0.3},
        {"rotation": 90.0},
        {"zoom": 0.5},
        {"colour": 0.5},
        {"mixup": 1.0},
        {"cutmix": 1.0},
        {"mixup": 0.2, "cutmix": 1.0},
    ],
)
def test_the_same_seed_gives_the_same_and_another_another(settings):
    first, again, other = augmented(**settings), augmented(**settings), augmented(**settings, seed=(0, 8))
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert (first[0] != other[0]).any()
    assert first[0].dtype == "uint8"
    assert first[0].shape == PIXELS.shape


def test_each_picture_of_a_batch_gets_its_own():
    same = np.repeat(PIXELS[:1], ROWS, axis=0)
    for settings in ({"shift": 0.3}, {"colour": 0.5}):
        assert len(np.unique(augmented(x=same, **settings)[0].reshape(ROWS, -1), axis=0)) > ROWS / 2


def test_colour_changes_brightness_contrast_and_saturation_by_the_share_told():
    pictures = RANDOM.uniform(60, 160, (40, 6, 6, 3)).astype("float32")
    chance = RANDOM.random((40, 3)).astype("float32")
    out = augmentation._recoloured(tf.constant(pictures), tf.constant(chance), 0.3).numpy().astype("float64")
    for picture, drawn, found in zip(pictures.astype("float64"), 0.3 * (2.0 * chance - 1.0), out, strict=True):
        middle = picture.mean()
        expected = (picture - middle) * (1 + drawn[1]) + middle * (1 + drawn[0])
        grey = (expected @ [0.299, 0.587, 0.114])[..., None]
        np.testing.assert_allclose(found, grey + (expected - grey) * (1 + drawn[2]), atol=1e-3)
    grey = augmentation._recoloured(tf.constant(pictures[..., :1]), tf.constant(chance), 0.3)
    assert grey.shape == (40, 6, 6, 1)


def test_mixup_lays_pictures_over_each_other_in_the_shares_of_their_targets():
    x, y, weight = augmented(mixup=1.0, weight=np.arange(ROWS, dtype="float32"))
    hot = np.eye(3)[Y]
    differ = np.flatnonzero(np.diff([Y, Y[::-1]], axis=0)[0])
    share = np.array([y[i, Y[i]] for i in range(ROWS)])  # of the picture itself, where the other is of another class
    np.testing.assert_allclose(y.sum(axis=1), 1, atol=1e-6)
    for i in differ:
        expected = share[i] * PIXELS[i] + (1 - share[i]) * PIXELS[::-1][i]
        assert np.abs(x[i] - expected).max() <= 0.51
        np.testing.assert_allclose(y[i], share[i] * hot[i] + (1 - share[i]) * hot[::-1][i], atol=1e-6)
        assert weight[i] == pytest.approx(share[i] * i + (1 - share[i]) * (ROWS - 1 - i), abs=1e-3)
    assert 0.3 < share[differ].mean() < 0.7
    assert share[differ].std() > 0.2  # Beta(1, 1) is uniform: 0.29


def test_cutmix_lays_a_box_on_each_and_its_area_is_the_share():
    x, y, _ = augmented(cutmix=1.0, info=NUMBER, y=np.arange(ROWS, dtype="float32"))
    own = (x == PIXELS).all(axis=-1)
    other = (x == PIXELS[::-1]).all(axis=-1)
    assert (own | other).all()
    for i in range(ROWS):
        rows, columns = np.where(~own[i])
        if len(rows):
            assert own[i][rows.min() : rows.max() + 1, columns.min() : columns.max() + 1].sum() <= 1, "one box"
    share = own.mean(axis=(1, 2))
    np.testing.assert_allclose(y, share * np.arange(ROWS) + (1 - share) * np.arange(ROWS)[::-1], atol=0.01 * ROWS)
    assert 0.1 < (1 - share).mean() < 0.6


def test_both_mixtures_share_the_pictures():
    x, _, _ = augmented(mixup=1.0, cutmix=1.0)
    boxed = ((x == PIXELS).all(axis=-1) | (x == PIXELS[::-1]).all(axis=-1)).all(axis=(1, 2)).mean()
    assert 0.25 < boxed < 0.75


def test_a_rare_beta_leaves_most_pictures_nearly_alone():
    _, y, _ = augmented(mixup=0.1, info=NUMBER, y=np.repeat([0.0, 1.0], ROWS // 2).astype("float32"))
    assert (np.minimum(y, 1 - y) < 0.05).mean() > 0.5


def test_the_loss_takes_mixed_classes_as_it_takes_whole_ones():
    logits = RANDOM.normal(size=(ROWS, 3)).astype("float32")
    loss = tfkit.losses.SmoothedCrossentropy(0.1)
    assert float(loss(np.eye(3, dtype="float32")[Y], logits)) == pytest.approx(float(loss(Y, logits)), rel=1e-6)
    share = RANDOM.dirichlet([1.0, 1.0, 1.0], ROWS)
    log_p = logits - np.log(np.exp(logits.astype("float64")).sum(axis=1, keepdims=True))
    expected = -((0.9 * share + 0.1 / 3) * log_p).sum(axis=1).mean()
    assert float(loss(share.astype("float32"), logits)) == pytest.approx(expected, rel=1e-5)
