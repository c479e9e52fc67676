import json

import pytest

import tfkit
from tests.reporting.conftest import FAST_SETTINGS, table
from tfkit.reporting import experiments


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("experiments")
    table().to_csv(folder / "t.csv", index=False)
    return tfkit.train(
        "tabular",
        data=folder / "t.csv",
        target="label",
        out=folder,
        tensorboard=True,
        quiet=True,
        **FAST_SETTINGS | {"epochs": 1},
    )


@pytest.fixture
def run_without_test(tmp_path):
    table(200).to_csv(tmp_path / "t.csv", index=False)
    return tfkit.train(
        "tabular",
        data=tmp_path / "t.csv",
        target="label",
        out=tmp_path,
        skip_test=True,
        quiet=True,
        **FAST_SETTINGS | {"epochs": 1},
    )


@pytest.mark.slow
def test_learning_curve_uses_the_same_test_rows(run):
    points = experiments.learning_curve(run, quiet=True)
    assert [point["rows"] for point in points] == [210, 420, 840]
    assert points[-1]["score"] == run.metrics["test"]["accuracy"]
    for point in points[:-1]:
        low, high = point["difference_to_all"]
        assert low <= points[-1]["score"] - point["score"] <= high
    report_html = run.report().read_text(encoding="utf-8")
    assert "Learning curve" in report_html


@pytest.mark.slow
def test_range_test_is_in_the_report(run):
    finder = experiments.lr_range_test(run)
    assert finder["low"] < finder["suggestion"] < finder["high"]
    assert "Learning rate range test" in run.report().read_text(encoding="utf-8")


def test_learning_curve_without_test_scores_raises(run_without_test):
    with pytest.raises(tfkit.UserError, match="needs the test rows, and this run was trained with --skip-test"):
        experiments.learning_curve(run_without_test)
    assert "test set not evaluated" in run_without_test.report().read_text(encoding="utf-8")


@pytest.mark.slow
def test_failed_range_test_raises(run, monkeypatch):
    monkeypatch.setattr(experiments, "RANGE_TEST_ROWS", 1)
    recipe = tfkit.load_recipe("tabular")

    def model(config, data):
        import keras

        nan_model = recipe.model(config, data)
        nan_model.compile(keras.optimizers.SGD(), lambda y_true, y_pred: keras.ops.mean(y_pred) * float("nan"))
        return nan_model

    with pytest.raises(tfkit.UserError, match="No learning rate can be suggested: The loss must fall"):
        experiments.lr_range_test(run, recipe.replace(model=model))


@pytest.mark.slow
def test_changed_data_raise(run, tmp_path):
    for path in run.folder.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    table(600).to_csv(tmp_path / "other.csv", index=False)
    (tmp_path / "config.json").write_text(json.dumps(run.config | {"data": str(tmp_path / "other.csv")}))
    with pytest.raises(tfkit.UserError, match="The data must be the same as when the run was trained"):
        experiments.learning_curve(tfkit.Run(tmp_path), quiet=True)


def test_missing_recipe_raises(run, tmp_path):
    for path in run.folder.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    copy = tfkit.Run(tmp_path)
    copy.update_provenance(recipe_file="nowhere.py")
    with pytest.raises(
        tfkit.UserError, match=r"give the recipe file, for a report with --recipe. Received: nowhere.py"
    ):
        experiments.learning_curve(copy)
    copy.update_provenance(rows=[40, 9, 9])
    with pytest.raises(tfkit.UserError, match=r"A quarter of the training rows must be at least 20 rows. Received: 40"):
        experiments.learning_curve(copy)


def test_tensorboard_has_the_values_of_the_history(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    def logged(split, name):
        events = EventAccumulator(str(run.path("tensorboard") / split))
        events.Reload()
        return [(event.step, make_ndarray(event.tensor_proto).item()) for event in events.Tensors(name)]

    assert logged("test", "score/accuracy") == [(1, pytest.approx(run.metrics["test"]["accuracy"]))]
    [line] = run.path("history.csv").read_text().splitlines()[1:]
    loss, val_loss = map(float, line.split(",")[1:3])
    assert logged("training", "loss") == [(1, pytest.approx(loss))]
    assert logged("validation", "loss") == [(1, pytest.approx(val_loss))]
    assert b"learning_rate" in logged("training", "settings")[0][1]
