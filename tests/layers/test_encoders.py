"""Tests of the encoders of sequences."""

import keras
import numpy as np
import pytest

from tfkit.layers import encode_past, encode_series, encode_tokens
from tfkit.layers.encoders import ARCHITECTURES

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("architecture", ARCHITECTURES["encode_tokens"])
def test_padding_does_not_change_the_encoding_of_tokens(architecture):
    inputs = keras.Input((None,), dtype="int32")
    model = keras.Model(inputs, encode_tokens(inputs, architecture, vocabulary_size=9, units=8, num_layers=2))
    ids = RANDOM.integers(1, 11, (4, 7)).astype("int32")
    encoded = np.asarray(model(ids))
    assert encoded.shape == (4, 8)
    assert len(np.unique(encoded.round(4), axis=0)) == 4, "different texts have different vectors"
    np.testing.assert_allclose(model(np.pad(ids, ((0, 0), (0, 5)))), encoded, atol=1e-5)


@pytest.mark.parametrize(
    ("architecture", "features"), [("inception", 32), ("cnn", 32), ("lstm", 16), ("transformer", 8)]
)
def test_series_are_encoded_as_vectors(architecture, features):
    inputs = keras.Input((24, 3))
    outputs = encode_series(inputs, architecture, units=8, num_layers=1, patch_length=6)
    encoded = np.asarray(keras.Model(inputs, outputs)(RANDOM.normal(size=(5, 24, 3)).astype("float32")))
    assert encoded.shape == (5, features)
    assert len(np.unique(encoded.round(4), axis=0)) == 5


@pytest.mark.parametrize("architecture", ARCHITECTURES["encode_past"])
def test_encoding_of_the_past_depends_on_the_order(architecture):
    inputs = keras.Input((16,))
    model = keras.Model(inputs, encode_past(inputs, architecture, patch_length=4, units=8))
    past = RANDOM.normal(size=(1, 16)).astype("float32")
    assert not np.allclose(model(past), model(past[:, ::-1]), atol=1e-3)


@pytest.mark.parametrize("encode", [encode_tokens, encode_series, encode_past])
def test_unknown_architecture_raises(encode):
    options = {encode_tokens: {"vocabulary_size": 9}, encode_past: {"patch_length": 4}}.get(encode, {})
    with pytest.raises(ValueError, match=r"`architecture` must be one of .*transformer\. Received: 'gru'"):
        encode(keras.Input((16,)), "gru", **options)
