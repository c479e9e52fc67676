"""Write curves, settings and test scores of a run for TensorBoard."""

from typing import Any

import keras

from tfkit.run_dir import RunDir

FOLDER = "tensorboard"


class TensorBoardLogger(keras.callbacks.Callback):
    """Write settings and metrics for TensorBoard: `tensorboard --logdir runs`.

    Training and validation are two TensorBoard runs, so that their curves are in the same plot.

    Args:
        run: The run; the files are written to `tensorboard/` in its folder.
        journal: The `tfkit.callbacks.JSONLogger` of the run. It must come before this callback.
    """

    def __init__(self, run: RunDir, journal: Any):
        super().__init__()
        self.run, self.journal = run, journal
        self.writers: dict[str, Any] = {}

    def on_train_begin(self, logs: Any = None) -> None:
        rows = "\n".join(f"| {name} | {value} |" for name, value in self.run.config.items())
        text(self._writer("training"), "settings", f"| setting | value |\n|---|---|\n{rows}")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        for name, value in self.journal.lines[-1].items():
            if name != "epoch" and isinstance(value, int | float):
                split = "validation" if name.startswith("val_") else "training"
                scalar(self._writer(split), name.removeprefix("val_"), value, epoch + 1)
        for writer in self.writers.values():
            writer.flush()

    def on_train_end(self, logs: Any = None) -> None:
        for writer in self.writers.values():
            writer.close()
        self.writers = {}

    def _writer(self, split: str) -> Any:
        """Return the summary writer of a split, created on first use."""
        import tensorflow as tf

        if split not in self.writers:
            self.writers[split] = tf.summary.create_file_writer(str(self.run.path(FOLDER) / split))
        return self.writers[split]


def write_scores(run: RunDir) -> None:
    """Write the test scores of a finished run, at the step of its best epoch."""
    import tensorflow as tf

    if not run.path(FOLDER).is_dir():
        return
    writer = tf.summary.create_file_writer(str(run.path(FOLDER) / "test"))
    for name, value in (run.metrics.get("test") or {}).items():
        scalar(writer, f"score/{name}", value, run.provenance.get("best_epoch", 0))
    writer.close()


def scalar(writer: Any, name: str, value: float, step: int) -> None:
    """Write a scalar summary."""
    import tensorflow as tf

    with writer.as_default():
        tf.summary.scalar(name, value, step=step)


def text(writer: Any, name: str, markdown: str) -> None:
    """Write a text summary in Markdown."""
    import tensorflow as tf

    with writer.as_default():
        tf.summary.text(name, markdown, step=0)
