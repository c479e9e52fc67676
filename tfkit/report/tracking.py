"""A run for MLflow: settings, curves, scores and the files, from its folder alone."""

from typing import Any

from tfkit.errors import UserError, first_line
from tfkit.report.reading import Record
from tfkit.run_dir import RunDir

LOCAL = "sqlite:///mlflow.db"
LONGEST = 500  # characters of a setting, which MLflow takes
FILES = (
    "model.keras",
    "report.html",
    "metrics.json",
    "config.json",
    "about.json",
    "info.json",
    "history.csv",
    "predictions.csv",
    "evidence.json",
    "page.py",
)


def log_to_mlflow(run: RunDir, address: str = "local", *, experiment: str | None = None) -> str:
    """Log a finished run to MLflow: every setting, every epoch, the scores with their baselines, the model and files.

    Args:
        run: The run.
        address: A server, `http://host:5000`; another store that MLflow knows; or "local" for `mlflow.db`, a SQLite
            file in the folder where one stands (`mlflow ui --backend-store-uri sqlite:///mlflow.db` shows it).
        experiment: Under which name; the recipe's where it is left out.

    Returns:
        The id that MLflow gave it.

    Raises:
        UserError: If mlflow is not installed, the server cannot be reached, or the run is not finished.
    """
    try:
        import mlflow
        from mlflow.exceptions import MlflowException
    except ImportError:
        raise UserError("Logging to MLflow needs the package mlflow: pip install 'tfkit[mlflow]'") from None
    record = Record.of(run)
    client = mlflow.MlflowClient(tracking_uri=LOCAL if address == "local" else address)
    name = experiment or record.about.get("recipe") or "tfkit"
    try:
        known = client.get_experiment_by_name(name)
        home = known.experiment_id if known else client.create_experiment(name)
        return _logged(client, home, record)
    except (MlflowException, OSError) as error:
        raise UserError(
            f"MLflow must answer under its address. Received: {address}, of which it says: {first_line(error)}"
        ) from None


def _logged(client: Any, home: str, record: Record) -> str:
    """Everything of a run, under an id of its own."""
    from mlflow.entities import Metric, Param, RunTag

    told = {
        "recipe": record.about.get("recipe"),
        "commit": record.about.get("commit"),
        "task": record.task,
        "target": record.target,
        "folder": str(record.run.folder),
        "verdict": record.metrics.get("verdict"),
        "mlflow.runName": record.run.folder.name,
    }
    tags = [RunTag(name, str(value)) for name, value in told.items() if value is not None]
    params = [Param(name, str(value)[:LONGEST]) for name, value in record.config.items()]
    begun = client.create_run(home)
    number = begun.info.run_id
    try:
        client.log_batch(number, params=params, tags=tags)
        metrics = [Metric(name, value, begun.info.start_time, step) for name, value, step in _numbers(record)]
        for start in range(0, len(metrics), 1000):  # as many as it takes at once
            client.log_batch(number, metrics=metrics[start : start + 1000])
        for file in FILES:
            if record.run.path(file).is_file():
                client.log_artifact(number, str(record.run.path(file)))
    except BaseException:
        client.set_terminated(number, "FAILED")
        raise
    client.set_terminated(number)
    return number


def _numbers(record: Record) -> list[tuple[str, float, int]]:
    """Name, value and step of every number of a run."""
    import math

    found = [
        (name, value, int(line["epoch"]))
        for line in record.history
        for name, value in line.items()
        if name != "epoch" and math.isfinite(value)
    ]
    last = int(record.about.get("best_epoch") or 0)
    parts = {"test": record.metrics.get("test") or {}, "val": record.metrics.get("val") or {}}
    parts |= {f"baseline_{name}": scores for name, scores in (record.metrics.get("baselines") or {}).items()}
    return found + [
        (f"{part}/{name}", float(value), last) for part, scores in parts.items() for name, value in scores.items()
    ]
