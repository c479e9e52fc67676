import numpy as np
import pytest
from sklearn.preprocessing import QuantileTransformer

from tfkit.layers import CategoryEmbedding, Clip, Impute, MissingIndicator, NumberEmbedding, QuantileScale

RANDOM = np.random.default_rng(0)
HOLES = np.array([[1.0, np.nan, np.inf], [-np.inf, 5.0, np.nan], [0.0, -2.0, 3e38]], "float32")


# Impute, MissingIndicator, Clip


def test_impute_fills_what_is_not_finite():
    expected = np.where(np.isfinite(HOLES), HOLES, np.array([7.0, 8.0, 9.0], "float32"))
    np.testing.assert_array_equal(Impute([7.0, 8.0, 9.0])(HOLES), expected)


def test_impute_fills_along_the_last_axis():
    x = np.full((2, 4, 3), np.nan, "float32")
    np.testing.assert_array_equal(Impute([7.0, 8.0, 9.0])(x), np.broadcast_to([7.0, 8.0, 9.0], (2, 4, 3)))


def test_missing_indicator_looks_where_it_is_told_in_the_order_told():
    found = MissingIndicator([2, 0])(HOLES)
    np.testing.assert_array_equal(found, [[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    assert found.dtype == "float32"


@pytest.mark.parametrize("bound", [0.5, 3.0])
def test_clip_is_its_formula(bound):
    x = (RANDOM.normal(size=(50, 4)) * [0.01, 1.0, 100.0, 1e6]).astype("float32")
    expected = x / np.sqrt(1 + (x.astype("float64") / bound) ** 2)
    np.testing.assert_allclose(Clip(bound)(x), expected, rtol=1e-5, atol=1e-6)


def test_clip_keeps_order_and_its_bound():
    x = np.sort(RANDOM.normal(size=1000) * 5).astype("float32")
    y = np.asarray(Clip(3.0)(x))
    assert (np.diff(y) >= 0).all()
    assert np.abs(y).max() < 3


@pytest.mark.parametrize(("dtype", "wild"), [("float32", 1e20), ("mixed_float16", 1000.0)])
def test_clip_keeps_the_wildest_values_at_its_bound(dtype, wild):
    np.testing.assert_allclose(Clip(3.0, dtype=dtype)(np.array([wild, -wild], "float32")), [3.0, -3.0], rtol=1e-2)


@pytest.mark.parametrize("bound", [0.0, -1.0, float("nan")])
def test_clip_refuses_a_bound_that_is_none(bound):
    with pytest.raises(ValueError, match=f"`bound` must be above 0. Received: {bound}"):
        Clip(bound)


# QuantileScale


def test_quantile_scale_is_linear_between_its_quantiles_and_flat_beyond():
    quantiles, shares = [[0.0, 1.0, 10.0], [-5.0, 5.0]], [[0.0, 0.2, 1.0], [0.0, 1.0]]
    x = np.stack([np.linspace(-3, 13, 41), np.linspace(-8, 8, 41)], 1).astype("float32")
    expected = [2 * np.interp(x[:, i], quantiles[i], shares[i]) - 1 for i in range(2)]
    np.testing.assert_allclose(QuantileScale(quantiles, shares)(x), np.stack(expected, 1), rtol=1e-5, atol=1e-5)


def test_quantile_scale_is_that_of_scikit_learn():
    train, x = RANDOM.gamma(1.0, size=(500, 3)), RANDOM.gamma(1.5, size=(200, 3))
    theirs = QuantileTransformer(n_quantiles=40).fit(train)
    ours = QuantileScale(theirs.quantiles_.T.tolist(), [theirs.references_.tolist()] * 3)
    np.testing.assert_allclose(ours(x), 2 * theirs.transform(x) - 1, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("quantiles", "shares", "lengths"),
    [
        ([[1.0]], [[0.0]], r"\[1.0\] and \[0.0\]"),
        ([[0.0, 1.0]], [[0.0, 0.5, 1.0]], r"\[0.0, 1.0\] and \[0.0, 0.5, 1.0\]"),
        ([[0.0, 1.0]], [[0.0, 1.0]] * 2, "None and"),
    ],
)
def test_quantile_scale_refuses_lists_that_do_not_match(quantiles, shares, lengths):
    with pytest.raises(ValueError, match=f"ascending values, with as many `shares`. Received: {lengths}"):
        QuantileScale(quantiles, shares)


def test_quantile_scale_refuses_values_that_are_not_distinct():
    with pytest.raises(ValueError, match="`quantiles`"):
        QuantileScale([[0.0, 0.0, 1.0]], [[0.0, 0.5, 1.0]])


# NumberEmbedding

EDGES = [[0.0, 1.0, 3.0, 7.0], [-2.0, 2.0], [0.0, 0.5, 1.0]]


def encode(x, edges):
    """Piecewise-linear encoding of one column, a bin at a time."""
    bins = len(edges) - 1
    position = [(x - edges[b]) / (edges[b + 1] - edges[b]) for b in range(bins)]
    low, high = [-1.0] + [0.0] * (bins - 1), [1.0] * (bins - 1) + [2.0]
    return np.stack([np.clip(position[b], low[b], high[b]) for b in range(bins)], -1)


def embedding(dim=4, **options):
    layer = NumberEmbedding(EDGES, dim=dim, **options)
    layer.build((None, 3))
    return layer


def embedded(layer, x):
    kernel = layer.kernel.numpy().astype("float64")
    columns = [encode(x[:, i].astype("float64"), e) @ kernel[i, : len(e) - 1] for i, e in enumerate(EDGES)]
    return np.concatenate(columns, 1)


def test_number_embedding_is_that_of_numpy_within_and_beyond_its_edges():
    layer, x = embedding(), RANDOM.normal(scale=8, size=(300, 3)).astype("float32")
    assert (x < -8).any(0).all()  # beyond what the first and the last bin still tell apart
    assert (x > 15).any(0).all()
    np.testing.assert_allclose(layer(x), embedded(layer, x), rtol=1e-5, atol=1e-5)
    edges = np.array([[e[0] for e in EDGES], [e[-1] for e in EDGES]], "float32")
    np.testing.assert_allclose(layer(edges), embedded(layer, edges), rtol=1e-5, atol=1e-5)


def test_number_embedding_tells_new_extremes_apart_for_one_more_bin():
    layer = embedding()
    kernel = layer.kernel.numpy()
    far = np.asarray(layer(np.array([[-1.0, -6, -0.5], [-9, -99, -9], [11, 6, 1.5], [99, 99, 9]], "float32")))
    first, last = kernel[:, 0].ravel(), np.concatenate([kernel[0, 2], kernel[1, 0], kernel[2, 1]])
    np.testing.assert_allclose(far[0], -first, rtol=1e-5, atol=1e-5)  # one width below the first edge, and no further
    np.testing.assert_allclose(far[1], -first, rtol=1e-5, atol=1e-5)
    whole = np.concatenate([kernel[i, : len(e) - 1].sum(0) for i, e in enumerate(EDGES)])
    np.testing.assert_allclose(far[2], whole + last, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(far[3], whole + last, rtol=1e-5, atol=1e-5)


def test_what_pads_short_columns_contributes_nothing():
    layer, x = embedding(), RANDOM.normal(scale=8, size=(20, 3)).astype("float32")
    before, kernel = np.asarray(layer(x)), layer.kernel.numpy()
    for i, e in enumerate(EDGES):
        kernel[i, len(e) - 1 :] = 1e6
    layer.kernel.assign(kernel)
    np.testing.assert_array_equal(layer(x), before)


def test_count_of_weights_of_a_number_embedding():
    assert embedding(dim=5).count_params() == 3 * 3 * 5  # columns, bins of the longest, dim


def test_number_embeddings_begin_at_unit_size():
    edges = [sorted(RANDOM.normal(size=33).tolist())] * 20
    layer = NumberEmbedding(edges, dim=64)
    y = np.asarray(layer(RANDOM.normal(size=(500, 20)).astype("float32")))
    assert 0.5 < y.std() < 1.5


@pytest.mark.parametrize("edges", [[0.0, 1e-8, 1.0], [0.0, 1e6]], ids=["narrow", "large"])
def test_number_embedding_stays_finite_in_half_precision(edges):
    layer = NumberEmbedding([edges], dim=2, dtype="mixed_float16")
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
def test_number_embedding_refuses_what_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        NumberEmbedding(**arguments)


def test_number_embedding_refuses_another_number_of_columns():
    with pytest.raises(ValueError, match=r"one list for each column .* Received: 3 lists, input_shape=\(None, 2\)"):
        NumberEmbedding(EDGES).build((None, 2))


# CategoryEmbedding

SIZES = [3, 9, 1, 12, 4]
CODES = np.stack([RANDOM.integers(0, size, 40) for size in SIZES], 1).astype("int32")
CODES[:2] = [[0] * 5, [size - 1 for size in SIZES]]


def test_category_embedding_is_that_of_numpy():
    layer = CategoryEmbedding(SIZES, dim=6, one_hot=4)
    found = np.asarray(layer(CODES))
    assert layer.table.shape == (9 + 12, 6)  # one table for both large columns
    table = layer.table.numpy()
    few = [np.eye(size)[CODES[:, i]] for i, size in enumerate(SIZES) if size <= 4]
    many = [table[:9][CODES[:, 1]], table[9:][CODES[:, 3]]]
    np.testing.assert_allclose(found, np.concatenate(few + many, 1), rtol=1e-5)


@pytest.mark.parametrize(("one_hot", "width", "weights"), [(64, 29, 0), (9, 17 + 5, 12 * 5), (0, 5 * 5, 29 * 5)])
def test_width_and_count_of_weights_of_a_category_embedding(one_hot, width, weights):
    layer = CategoryEmbedding(SIZES, dim=5, one_hot=one_hot)
    assert layer(CODES).shape == (40, width)
    assert layer.count_params() == weights


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int64"])
@pytest.mark.parametrize("one_hot", [300, 0])
def test_category_embedding_takes_codes_of_any_integer_type(dtype, one_hot):
    layer = CategoryEmbedding([100, 100, 100], dim=2, one_hot=one_hot)
    codes = np.array([[1, 99, 98]])
    np.testing.assert_array_equal(layer(codes.astype(dtype)), layer(codes.astype("int32")))


@pytest.mark.parametrize(
    "arguments", [{"sizes": []}, {"sizes": [3, 0]}, {"sizes": [3], "dim": 0}, {"sizes": [3], "one_hot": -1}]
)
def test_category_embedding_refuses_what_cannot_be(arguments):
    given = {"sizes": None, "dim": 8, "one_hot": 64, **arguments}
    message = f"Received: sizes={given['sizes']}, dim={given['dim']}, one_hot={given['one_hot']}"
    with pytest.raises(ValueError, match="`sizes` must hold numbers of codes") as error:
        CategoryEmbedding(**arguments)
    assert str(error.value).endswith(message)


def test_category_embedding_refuses_another_number_of_columns():
    with pytest.raises(ValueError, match=r"one number for each column .* Received: 5 numbers, input_shape=\(None, 2\)"):
        CategoryEmbedding(SIZES).build((None, 2))
