import keras
import numpy as np
import pytest

from tfkit.layers import Dropout


def dropped(layer, *shape):
    """What is dropped of ones, after a look at the rest."""
    said = np.asarray(layer(np.ones(shape, "float32"), training=True))
    np.testing.assert_allclose(said[said != 0], 1 / (1 - layer.bound / 65536), rtol=1e-6)
    return said == 0


@pytest.mark.parametrize("share", [0.001, 0.1, 0.5, 0.9, 0.999])
def test_the_share_is_dropped_and_the_rest_scaled(share):
    layer = Dropout(share)
    assert layer.bound / 65536 == pytest.approx(share, abs=1 / 131072)
    sigma = (share * (1 - share) / 1e6) ** 0.5
    assert dropped(layer, 1000, 1000).mean() == pytest.approx(share, abs=5 * sigma + 1 / 131072)


def test_two_units_of_one_draw_do_not_know_each_other():
    pairs = dropped(Dropout(0.3), 500_000, 2)
    assert pairs.all(axis=1).mean() == pytest.approx(0.09, abs=0.003)  # sigma 0.0004
    assert pairs.any(axis=1).mean() == pytest.approx(1 - 0.49, abs=0.004)


@pytest.mark.parametrize("axes", [[1], [1, 2], [0], []])
def test_units_that_share_a_draw_stay_or_go_together(axes):
    found = dropped(Dropout(0.5, shared_axes=axes), 7, 8, 9)
    first = found[tuple(slice(0, 1) if i in axes else slice(None) for i in range(3))]
    np.testing.assert_array_equal(found, np.broadcast_to(first, found.shape))
    for axis in set(range(3)) - set(axes):
        assert found.any(axis=axis).mean() > found.mean()  # along the others they do not


def test_nothing_happens_outside_training_or_without_dropout():
    x = np.random.default_rng(0).normal(size=(3, 5)).astype("float32")
    np.testing.assert_array_equal(Dropout(0.5)(x), x)
    np.testing.assert_array_equal(Dropout(0.0)(x, training=True), x)
    assert not Dropout(0.0).variables


def test_each_call_draws_anew_and_a_seed_draws_again():
    found = []
    for _ in range(2):
        keras.utils.set_random_seed(1)
        layer = Dropout(0.5)
        found.append([dropped(layer, 20, 20), dropped(layer, 20, 20)])
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0][0] != found[0][1]).any()


def test_nearly_all_is_not_all():
    assert np.isfinite(Dropout(0.9999999)(np.ones((1000, 1000), "float32"), training=True)).all()


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_what_cannot_be_is_refused(share):
    with pytest.raises(ValueError, match=rf"`dropout` must be in \[0, 1\). Received: {share}"):
        Dropout(share)
