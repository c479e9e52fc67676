import numpy as np
import pytest

from tfkit.layers import PeriodicEmbedding

RANDOM = np.random.default_rng(0)


def test_output_matches_numpy():
    layer, x = PeriodicEmbedding(dim=4, num_frequencies=5, scale=2.0), RANDOM.normal(size=(50, 3)).astype("float32")
    layer.build((None, 3))
    layer.set_weights([RANDOM.normal(size=w.shape) for w in layer.get_weights()])
    frequencies, kernel, bias = (w.astype("float64") for w in layer.get_weights())
    columns = []
    for i in range(3):
        phase = 2 * np.pi * np.outer(x[:, i].astype("float64"), frequencies[i, 0])
        waves = np.concatenate([np.sin(phase), np.cos(phase)], axis=1)
        columns.append(np.maximum(waves @ kernel[i] + bias[i, 0], 0))
    np.testing.assert_allclose(layer(x), np.concatenate(columns, axis=1), rtol=1e-5, atol=2e-5)


def test_number_and_initialization_of_weights():
    layer = PeriodicEmbedding(dim=7, num_frequencies=400, scale=3.0)
    layer.build((None, 5))
    assert layer.count_params() == 5 * (400 + 2 * 400 * 7 + 7)
    assert np.std(layer.frequencies) == pytest.approx(3.0, rel=0.05)
    y = np.asarray(layer(RANDOM.normal(size=(500, 5)).astype("float32")))
    assert np.sqrt((y**2).mean()) == pytest.approx(1.0, rel=0.2)


@pytest.mark.parametrize("arguments", [{"dim": 0}, {"num_frequencies": 0}, {"scale": 0.0}, {"scale": -1.0}])
def test_invalid_arguments_raise(arguments):
    [(name, value)] = arguments.items()
    with pytest.raises(ValueError, match=rf"`scale` above 0\. Received: .*{name}={value}"):
        PeriodicEmbedding(**arguments)
