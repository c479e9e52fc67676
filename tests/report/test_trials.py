import json

import pytest

import tfkit
from tests.report.conftest import SMALL, table
from tfkit.report import trials


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("trials")
    table().to_csv(folder / "t.csv", index=False)
    return tfkit.train(
        "tabular",
        table=folder / "t.csv",
        target="label",
        out=folder,
        tensorboard=True,
        quiet=True,
        **SMALL | {"epochs": 1},
    )


@pytest.fixture
def untested(tmp_path):
    table(200).to_csv(tmp_path / "t.csv", index=False)
    return tfkit.train(
        "tabular",
        table=tmp_path / "t.csv",
        target="label",
        out=tmp_path,
        test=False,
        quiet=True,
        **SMALL | {"epochs": 1},
    )


@pytest.mark.slow
def test_a_quarter_and_a_half_are_scored_on_the_same_test_rows(run):
    told = trials.more_rows(run, quiet=True)
    assert [one["rows"] for one in told] == [210, 420, 840]
    assert told[-1]["score"] == run.metrics["test"]["accuracy"]
    for one in told[:-1]:
        low, high = one["gained"]
        assert low <= told[-1]["score"] - one["score"] <= high
    page = run.report().read_text(encoding="utf-8")
    assert "Would more rows help?" in page


@pytest.mark.slow
def test_the_finder_is_shown(run):
    told = trials.find_rate(run)
    assert told["low"] < told["suggestion"] < told["high"]
    assert "Does the learning rate fit?" in run.report().read_text(encoding="utf-8")


def test_without_a_test_nothing_can_be_said_of_more_rows(untested):
    with pytest.raises(tfkit.UserError, match="seen on the test rows, and this run left them alone"):
        trials.more_rows(untested)
    assert "the test was left alone" in untested.report().read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_rate_that_cannot_be_found_is_said(run, monkeypatch):
    monkeypatch.setattr(trials, "RATE_ROWS", 1)
    recipe = tfkit.load("tabular")

    def model(config, data):
        import keras

        made = recipe.model(config, data)
        made.compile(keras.optimizers.SGD(), lambda truth, answer: keras.ops.mean(answer) * float("nan"))
        return made

    with pytest.raises(tfkit.UserError, match="No rate was found: The loss must fall somewhere"):
        trials.find_rate(run, recipe.replace(model=model))


@pytest.mark.slow
def test_other_data_is_refused(run, tmp_path):
    for path in run.folder.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    table(600).to_csv(tmp_path / "other.csv", index=False)
    (tmp_path / "config.json").write_text(json.dumps(run.config | {"table": str(tmp_path / "other.csv")}))
    with pytest.raises(tfkit.UserError, match="The data must be where and what it was when the run was trained"):
        trials.more_rows(tfkit.Run(tmp_path), quiet=True)


def test_a_page_that_is_gone_must_be_named(run, tmp_path):
    for path in run.folder.iterdir():
        if path.is_file():
            (tmp_path / path.name).write_bytes(path.read_bytes())
    copy = tfkit.Run(tmp_path)
    copy.note(page="nowhere.py")
    with pytest.raises(tfkit.UserError, match=r"name it with --recipe. Received: nowhere.py"):
        trials.more_rows(copy)
    copy.note(rows=[40, 9, 9])
    with pytest.raises(tfkit.UserError, match=r"A quarter of the training rows must be 20 at least. Received: 40"):
        trials.more_rows(copy)


def test_what_tensorboard_shows_is_what_the_journal_says(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util.tensor_util import make_ndarray

    def shown(which, name):
        board = EventAccumulator(str(run.path("tensorboard") / which))
        board.Reload()
        return [(one.step, make_ndarray(one.tensor_proto).item()) for one in board.Tensors(name)]

    assert shown("test", "score/accuracy") == [(1, pytest.approx(run.metrics["test"]["accuracy"]))]
    [line] = run.path("history.csv").read_text().splitlines()[1:]
    loss, val_loss = map(float, line.split(",")[1:3])
    assert shown("training", "loss") == [(1, pytest.approx(loss))]
    assert shown("validation", "loss") == [(1, pytest.approx(val_loss))]
    assert b"learning_rate" in shown("training", "settings")[0][1]
