import numpy as np
import pytest

from tfkit.layers import CategoricalEmbedding, PiecewiseLinearEmbedding

RANDOM = np.random.default_rng(0)


# PiecewiseLinearEmbedding

EDGES = [[0.0, 1.0, 3.0, 7.0], [-2.0, 2.0], [0.0, 0.5, 1.0]]


def encode(x, edges):
    """Compute the piecewise-linear encoding of one column, bin by bin."""
    bins = len(edges) - 1
    position = [(x - edges[bin_index]) / (edges[bin_index + 1] - edges[bin_index]) for bin_index in range(bins)]
    low, high = [-1.0] + [0.0] * (bins - 1), [1.0] * (bins - 1) + [2.0]
    return np.stack([np.clip(position[bin_index], low[bin_index], high[bin_index]) for bin_index in range(bins)], -1)


def embedding(dim=4, **options):
    layer = PiecewiseLinearEmbedding(EDGES, dim=dim, **options)
    layer.build((None, 3))
    return layer


def embedded(layer, x):
    kernel = layer.kernel.numpy().astype("float64")
    columns = [
        encode(x[:, index].astype("float64"), column_edges) @ kernel[index, : len(column_edges) - 1]
        for index, column_edges in enumerate(EDGES)
    ]
    return np.concatenate(columns, 1)


def test_number_embedding_matches_numpy_inside_and_outside_its_edges():
    layer, x = embedding(), RANDOM.normal(scale=8, size=(300, 3)).astype("float32")
    assert (x < -8).any(0).all()  # beyond the range of the first and the last bin
    assert (x > 15).any(0).all()
    np.testing.assert_allclose(layer(x), embedded(layer, x), rtol=1e-5, atol=1e-5)
    edges = np.array(
        [[column_edges[0] for column_edges in EDGES], [column_edges[-1] for column_edges in EDGES]], "float32"
    )
    np.testing.assert_allclose(layer(edges), embedded(layer, edges), rtol=1e-5, atol=1e-5)


def test_number_embedding_extrapolates_by_one_bin_width():
    layer = embedding()
    kernel = layer.kernel.numpy()
    extremes = np.asarray(layer(np.array([[-1.0, -6, -0.5], [-9, -99, -9], [11, 6, 1.5], [99, 99, 9]], "float32")))
    first, last = kernel[:, 0].ravel(), np.concatenate([kernel[0, 2], kernel[1, 0], kernel[2, 1]])
    np.testing.assert_allclose(
        extremes[0], -first, rtol=1e-5, atol=1e-5
    )  # one width below the first edge, and no further
    np.testing.assert_allclose(extremes[1], -first, rtol=1e-5, atol=1e-5)
    full = np.concatenate([kernel[index, : len(column_edges) - 1].sum(0) for index, column_edges in enumerate(EDGES)])
    np.testing.assert_allclose(extremes[2], full + last, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(extremes[3], full + last, rtol=1e-5, atol=1e-5)


def test_padded_bins_do_not_contribute():
    layer, x = embedding(), RANDOM.normal(scale=8, size=(20, 3)).astype("float32")
    before, kernel = np.asarray(layer(x)), layer.kernel.numpy()
    for index, column_edges in enumerate(EDGES):
        kernel[index, len(column_edges) - 1 :] = 1e6
    layer.kernel.assign(kernel)
    np.testing.assert_array_equal(layer(x), before)


def test_number_of_weights_of_a_number_embedding():
    assert embedding(dim=5).count_params() == 3 * 3 * 5  # columns, bins of the longest, dim


def test_number_embedding_has_unit_variance_at_initialization():
    edges = [sorted(RANDOM.normal(size=33).tolist())] * 20
    layer = PiecewiseLinearEmbedding(edges, dim=64)
    y = np.asarray(layer(RANDOM.normal(size=(500, 20)).astype("float32")))
    assert 0.5 < y.std() < 1.5


@pytest.mark.parametrize("edges", [[0.0, 1e-8, 1.0], [0.0, 1e6]], ids=["narrow", "large"])
def test_number_embedding_stays_finite_in_half_precision(edges):
    layer = PiecewiseLinearEmbedding([edges], dim=2, dtype="mixed_float16")
    assert np.isfinite(layer(np.array([[0.0], [0.5], [1e5]], "float32"))).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"edges": [[0.0, 1.0]], "dim": 0}, "`dim` must be at least 1. Received: 0"),
        (
            {"edges": [[0.0, 1.0], [0.0]]},
            r"Each list of `edges` must be at least two ascending values. Received: \[0.0\]",
        ),
        ({"edges": [[0.0, 1.0, 1.0]]}, r"two ascending values. Received: \[0.0, 1.0, 1.0\]"),
        ({"edges": [[1.0, 0.0]]}, r"two ascending values. Received: \[1.0, 0.0\]"),
    ],
)
def test_number_embedding_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        PiecewiseLinearEmbedding(**arguments)


def test_number_embedding_wrong_number_of_columns_raises():
    with pytest.raises(ValueError, match=r"one list for each column .* Received: 3 lists, input_shape=\(None, 2\)"):
        PiecewiseLinearEmbedding(EDGES).build((None, 2))


# CategoricalEmbedding

SIZES = [3, 9, 1, 12, 4]
CODES = np.stack([RANDOM.integers(0, size, 40) for size in SIZES], 1).astype("int32")
CODES[:2] = [[0] * 5, [size - 1 for size in SIZES]]


def test_category_embedding_matches_numpy():
    layer = CategoricalEmbedding(SIZES, dim=6, one_hot=4)
    outputs = np.asarray(layer(CODES))
    assert layer.table.shape == (9 + 12, 6)  # one table for both large columns
    table = layer.table.numpy()
    one_hot = [np.eye(size)[CODES[:, index]] for index, size in enumerate(SIZES) if size <= 4]
    embedded_columns = [table[:9][CODES[:, 1]], table[9:][CODES[:, 3]]]
    np.testing.assert_allclose(outputs, np.concatenate(one_hot + embedded_columns, 1), rtol=1e-5)


@pytest.mark.parametrize(("one_hot", "width", "weights"), [(64, 29, 0), (9, 17 + 5, 12 * 5), (0, 5 * 5, 29 * 5)])
def test_width_and_number_of_weights_of_a_category_embedding(one_hot, width, weights):
    layer = CategoricalEmbedding(SIZES, dim=5, one_hot=one_hot)
    assert layer(CODES).shape == (40, width)
    assert layer.count_params() == weights


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int64"])
@pytest.mark.parametrize("one_hot", [300, 0])
def test_category_embedding_accepts_all_integer_types(dtype, one_hot):
    layer = CategoricalEmbedding([100, 100, 100], dim=2, one_hot=one_hot)
    codes = np.array([[1, 99, 98]])
    np.testing.assert_array_equal(layer(codes.astype(dtype)), layer(codes.astype("int32")))


@pytest.mark.parametrize(
    "arguments", [{"sizes": []}, {"sizes": [3, 0]}, {"sizes": [3], "dim": 0}, {"sizes": [3], "one_hot": -1}]
)
def test_category_embedding_invalid_arguments_raise(arguments):
    settings = {"sizes": None, "dim": 8, "one_hot": 64, **arguments}
    message = f"Received: sizes={settings['sizes']}, dim={settings['dim']}, one_hot={settings['one_hot']}"
    with pytest.raises(ValueError, match="`sizes` must contain numbers of codes") as error:
        CategoricalEmbedding(**arguments)
    assert str(error.value).endswith(message)


def test_category_embedding_wrong_number_of_columns_raises():
    with pytest.raises(ValueError, match=r"one number for each column .* Received: 5 numbers, input_shape=\(None, 2\)"):
        CategoricalEmbedding(SIZES).build((None, 2))
