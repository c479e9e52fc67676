"""What TensorBoard shows: the curves while a run is trained, its settings, and its scores at the end."""

from typing import Any

import keras

from tfkit.run_dir import RunDir

FOLDER = "tensorboard"


class Board(keras.callbacks.Callback):
    """Write every epoch of a journal for TensorBoard: `tensorboard --logdir runs`.

    Training and validation are two runs of TensorBoard, so that their curves lie over each other.

    Args:
        run: The run, in whose folder `tensorboard/` it goes.
        journal: The `tfkit.callbacks.Journal` that stands before this one.
    """

    def __init__(self, run: RunDir, journal: Any):
        super().__init__()
        self.run, self.journal = run, journal
        self.writers: dict[str, Any] = {}

    def on_train_begin(self, logs: Any = None) -> None:
        words = "\n".join(f"| {name} | {value} |" for name, value in self.run.config.items())
        text(self._writer("training"), "settings", f"| setting | value |\n|---|---|\n{words}")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        for name, value in self.journal.lines[-1].items():
            if name != "epoch" and isinstance(value, int | float):
                which = "validation" if name.startswith("val_") else "training"
                scalar(self._writer(which), name.removeprefix("val_"), value, epoch + 1)
        for writer in self.writers.values():
            writer.flush()

    def on_train_end(self, logs: Any = None) -> None:
        for writer in self.writers.values():
            writer.close()
        self.writers = {}

    def _writer(self, which: str) -> Any:
        import tensorflow as tf

        if which not in self.writers:
            self.writers[which] = tf.summary.create_file_writer(str(self.run.path(FOLDER) / which))
        return self.writers[which]


def write_scores(run: RunDir) -> None:
    """The scores of the test rows, once a run is finished, at the step of its best epoch."""
    import tensorflow as tf

    if not run.path(FOLDER).is_dir():
        return
    writer = tf.summary.create_file_writer(str(run.path(FOLDER) / "test"))
    for name, value in (run.metrics.get("test") or {}).items():
        scalar(writer, f"score/{name}", value, run.about.get("best_epoch", 0))
    writer.close()


def scalar(writer: Any, name: str, value: float, step: int) -> None:
    """One number at one step."""
    import tensorflow as tf

    with writer.as_default():
        tf.summary.scalar(name, value, step=step)


def text(writer: Any, name: str, words: str) -> None:
    """Some words, as Markdown."""
    import tensorflow as tf

    with writer.as_default():
        tf.summary.text(name, words, step=0)
