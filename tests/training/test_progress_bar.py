"""Progress bar and progress lines of a training."""

import pytest

from tfkit.training.progress_bar import Progress


def run_callbacks(bar, epochs, first=0):
    bar.set_params({"steps": 2, "epochs": epochs})
    bar.on_train_begin()
    for epoch in range(first, epochs):
        bar.on_epoch_begin(epoch)
        bar.on_train_batch_end(0, {"loss": 1.0})
        bar.on_epoch_end(epoch, {"loss": 1.0 / (epoch + 1), "val_loss": 2.0, "accuracy": 0.5})
    bar.on_train_end()


@pytest.mark.parametrize("epochs", [1, 3, 9, 10, 11, 25, 1000])
def test_without_a_terminal_at_most_ten_lines_are_printed_including_the_last(epochs, capsys):
    run_callbacks(Progress(epochs), epochs)
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert len(lines) == min(epochs, 10)
    assert lines[-1] == f"epoch {epochs}/{epochs}  loss {1 / epochs:.4g}  val_loss 2"


def test_the_monitored_metric_is_shown(capsys):
    run_callbacks(Progress(1, "accuracy"), 1)
    assert capsys.readouterr().err == "epoch 1/1  loss 1  accuracy 0.5\n"


def test_a_resumed_training_prints_its_epochs(capsys):
    run_callbacks(Progress(100), 100, first=57)
    assert [line.split("/")[0] for line in capsys.readouterr().err.splitlines()] == [
        "epoch 58",
        "epoch 60",
        "epoch 70",
        "epoch 80",
        "epoch 90",
        "epoch 100",
    ]


def test_on_a_terminal_a_bar_is_shown_and_removed(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # makes rich treat stderr as a terminal
    monkeypatch.setenv("TERM", "xterm")
    bar = Progress(3)
    run_callbacks(bar, 3)
    assert "Training" in capsys.readouterr().err
    assert not bar.bar.is_shown
    bar.close()


def test_the_bar_advances_inside_an_epoch(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    bar = Progress(4, epoch_fraction=iter([0.25, 0.5]).__next__)
    bar.on_train_begin()
    bar.on_epoch_begin(2)
    for expected in (2.25 / 4, 2.5 / 4):
        bar.on_train_batch_end(0)
        assert bar.bar.fraction == expected
    bar.close()
