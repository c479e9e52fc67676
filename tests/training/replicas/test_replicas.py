"""Several replicas train what one device trains; each side runs in processes of its own."""

import json

import numpy as np
import pytest

from tests.training.replicas.replica_cases import adamw, run_cases, run_processes, train
from tfkit.training.replicas import scope

RECIPES = [
    [
        "tabular",
        {
            "architecture": "mlp",
            "units": 16,
            "num_layers": 2,
            "l2": 0.001,
            "global_clipnorm": 0.1,
            "balance_classes": True,
        },
    ],
    ["tabular", {"units": 16, "num_layers": 2, "ensemble_size": 3, "global_clipnorm": 0.1}],
    ["image", {"filters": [4, 8], "global_clipnorm": 0.1, "mixup": 0.2}],
    [
        "image",
        {"architecture": "transformer", "units": 16, "num_layers": 1, "balance_classes": True, "optimizer": "momentum"},
    ],
    [
        "text",
        {"units": 16, "vocabulary_size": 200, "max_ngrams": 500, "ngram_dim": 8, "global_clipnorm": 0.1, "l2": 0.001},
    ],
    ["text", {"architecture": "lstm", "units": 8, "vocabulary_size": 200, "ngram_model": "none", "max_length": 30}],
    ["series", {"num_features": 84, "classifier": "softmax"}],
    ["series", {"architecture": "cnn", "units": 8, "num_layers": 1, "balance_classes": True, "global_clipnorm": 0.1}],
    ["forecast", {"context_length": 24, "horizon": 6}],
    ["forecast", {"context_length": 24, "horizon": 6, "architecture": "lstm", "units": 8, "optimizer": "lion"}],
]
CASES = [
    "adamw",
    "sum_loss",
    "weighted_loss",
    "gradient_accumulation",
    "weight_averaging",
    "embedding",
    "gan",
]

sharded = pytest.mark.skipif(not scope.is_sharding_enabled(), reason="TFKIT_SHARDED_STEP=0 switches sharded steps off")


def assert_same(arrays, expected):
    assert len(arrays) == len(expected) > 0
    for array, expected_array in zip(arrays, expected, strict=True):
        np.testing.assert_allclose(array, expected_array, rtol=1e-5, atol=1e-5)


@pytest.fixture(scope="module")
def two_replicas(tmp_path_factory):
    """Results of the fast cases on two replicas."""
    out = tmp_path_factory.mktemp("two") / "results"
    return run_cases("mirrored:2", out, ["adamw", "dropout_masks", "error_messages"])[0]


@sharded
def test_two_replicas_train_what_one_device_trains(two_replicas):
    assert_same(two_replicas["adamw"], train(adamw))


@sharded
def test_masks_differ_between_replicas_and_repeat_with_the_seed(two_replicas):
    first, second, first_again, _, *seeds = two_replicas["dropout_masks"]
    assert set(np.unique(first)) == {0.0, 2.0}
    assert not np.array_equal(first[:3], first[3:])
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(first, first_again)
    np.testing.assert_array_equal(*seeds)  # after a step all replicas have the same state


@pytest.mark.slow
@sharded
@pytest.mark.parametrize(
    ("index", "message"),
    [
        (0, "`train_step` must call a keras.Model on the batch"),
        (1, "a layer must not add a loss of its inputs or outputs"),
        (2, "a model must return an output for each row"),
        (3, "must not compute second derivatives"),
        (4, "must be created and compiled inside `tfkit.training.replicas.scope.scope"),
    ],
    ids=["no model call", "add_loss", "scalar output", "gradient penalty", "plain scope"],
)
def test_a_model_that_replicas_cannot_train_raises(two_replicas, index, message):
    error = str(two_replicas["error_messages"][0][index])
    assert message in error
    assert "\n" not in error


@pytest.fixture(scope="module")
def one_device(tmp_path_factory):
    """Results of all cases on one device."""
    return run_cases("cpu", tmp_path_factory.mktemp("one") / "results", CASES)[0]


@sharded
@pytest.mark.long
@pytest.mark.parametrize("num_replicas", [2, 3])
def test_replicas_train_what_one_device_trains(num_replicas, one_device, tmp_path):
    [results] = run_cases(f"mirrored:{num_replicas}", tmp_path / "results", CASES)
    for name in CASES:
        assert_same(results[name], one_device[name])


@sharded
@pytest.mark.long
def test_two_workers_train_what_one_device_trains(one_device, tmp_path):
    for results in run_cases("multiworker", tmp_path / "results", CASES, workers=2):
        for name in CASES:
            assert_same(results[name], one_device[name])


@sharded
@pytest.mark.long
def test_if_one_replica_overflows_the_step_is_skipped_and_the_loss_scale_halved(tmp_path):
    kernel, bias, scale = run_cases("mirrored:2", tmp_path / "results", ["overflow"])[0]["overflow"]
    assert (kernel == 1).all()
    assert (bias == 0).all()
    assert scale == 512


@sharded
@pytest.mark.long
@pytest.mark.parametrize(("device", "workers"), [("mirrored:2", 1), ("multiworker", 2)])
def test_every_recipe_has_the_weights_of_one_device_after_twenty_steps(device, workers, tmp_path, recipe_steps):
    from tfkit.verification.multi_replica import compare_step_files

    task = {"do": "steps", "device": device, "cases": RECIPES}
    task_json = to_json({**task, "out": str(tmp_path / "steps-{index}.npz")})
    run_processes("tfkit.verification.worker", task_json, workers=workers)
    for index in range(workers):
        assert compare_step_files(recipe_steps, tmp_path / f"steps-{index}.npz") == [""] * len(RECIPES)


@pytest.fixture(scope="module")
def recipe_steps(tmp_path_factory):
    """The file of the steps of every recipe on one device."""
    out = tmp_path_factory.mktemp("recipes") / "one.npz"
    run_processes(
        "tfkit.verification.worker", to_json({"do": "steps", "device": "cpu", "cases": RECIPES, "out": str(out)})
    )
    return out


def to_json(task):
    """Return JSON that `str.format` does not change, but for `{index}`."""
    return json.dumps(task).replace("{", "{{").replace("}", "}}").replace("{{index}}", "{index}")


@pytest.mark.slow
def test_the_switch_runs_the_step_of_keras(tmp_path):
    """It equals one device where no batch statistics, clipping or uneven shards are involved, else not."""
    names = ["even_batches", "adamw"]
    [keras_results] = run_cases("mirrored:2", tmp_path / "keras", names, TFKIT_SHARDED_STEP="0")
    [expected] = run_cases("cpu", tmp_path / "one", names)
    assert_same(keras_results["even_batches"], expected["even_batches"])
    assert len(keras_results["adamw"]) == len(expected["adamw"])
    assert all(np.isfinite(array).all() for array in keras_results["adamw"])
    with pytest.raises(AssertionError):
        assert_same(keras_results["adamw"], expected["adamw"])
