"""Log a finished run to MLflow: settings, curves, scores and files."""

import math
from typing import Any

from tfkit.errors import UserError, first_line
from tfkit.reporting.run_results import RunResults
from tfkit.run_dir import RunDir

LOCAL_STORE = "sqlite:///mlflow.db"

MAX_CHARACTERS = 500  # characters of a setting that MLflow accepts

MAX_METRICS = 1000  # metrics of a batch that MLflow accepts

FILES = (
    "model.keras",
    "report.html",
    "metrics.json",
    "config.json",
    "provenance.json",
    "metadata.json",
    "history.csv",
    "predictions.csv",
    "analysis.json",
    "recipe.py",
)


def log_to_mlflow(run: RunDir, tracking_uri: str = "local", *, experiment: str | None = None) -> str:
    """Log a finished run to MLflow: settings, curves, scores, model and files.

    Args:
        run: The run.
        tracking_uri: URI of a server, `http://host:5000`, or of another MLflow store; or "local" for `mlflow.db`, a
            SQLite file in the current folder (show it with `mlflow ui --backend-store-uri sqlite:///mlflow.db`).
        experiment: Name of the MLflow experiment. The default is the name of the recipe.

    Returns:
        The MLflow run id.

    Raises:
        UserError: If mlflow is not installed, the server cannot be reached, or the run is not finished.
    """
    try:
        import mlflow
        from mlflow.exceptions import MlflowException
    except ImportError:
        raise UserError("Logging to MLflow needs the package mlflow: pip install 'keras-recipes[mlflow]'") from None
    record = RunResults.from_run(run)
    client = mlflow.MlflowClient(tracking_uri=LOCAL_STORE if tracking_uri == "local" else tracking_uri)
    name = experiment or record.provenance.get("recipe") or "tfkit"
    try:
        existing = client.get_experiment_by_name(name)
        experiment_id = existing.experiment_id if existing else client.create_experiment(name)
        return _log_run(client, experiment_id, record)
    except (MlflowException, OSError) as error:
        raise UserError(
            f"MLflow must be reachable under its tracking_uri. Received: {tracking_uri} ({first_line(error)})"
        ) from None


def _log_run(client: Any, experiment_id: str, record: RunResults) -> str:
    """Log a run as a new MLflow run and return its id."""
    from mlflow.entities import Metric, Param, RunTag

    tag_values = {
        "recipe": record.provenance.get("recipe"),
        "commit": record.provenance.get("commit"),
        "task": record.task,
        "target": record.target,
        "folder": str(record.run.folder),
        "verdict": record.metrics.get("verdict"),
        "mlflow.runName": record.run.folder.name,
    }
    tags = [RunTag(name, str(value)) for name, value in tag_values.items() if value is not None]
    params = [Param(name, str(value)[:MAX_CHARACTERS]) for name, value in record.config.items()]
    created = client.create_run(experiment_id)
    run_id = created.info.run_id
    try:
        client.log_batch(run_id, params=params, tags=tags)
        metrics = [Metric(name, value, created.info.start_time, step) for name, value, step in _metrics(record)]
        for start in range(0, len(metrics), MAX_METRICS):
            client.log_batch(run_id, metrics=metrics[start : start + MAX_METRICS])
        for file in FILES:
            if record.run.path(file).is_file():
                client.log_artifact(run_id, str(record.run.path(file)))
    except BaseException:
        client.set_terminated(run_id, "FAILED")
        raise
    client.set_terminated(run_id)
    return run_id


def _metrics(record: RunResults) -> list[tuple[str, float, int]]:
    """Return name, value and step of every metric of a run."""
    epoch_metrics = [
        (name, value, int(line["epoch"]))
        for line in record.history
        for name, value in line.items()
        if name != "epoch" and math.isfinite(value)
    ]
    best_epoch = int(record.provenance.get("best_epoch") or 0)
    groups = {"test": record.metrics.get("test") or {}, "val": record.metrics.get("val") or {}}
    groups |= {f"baseline_{name}": scores for name, scores in (record.metrics.get("baselines") or {}).items()}
    return epoch_metrics + [
        (f"{group}/{name}", float(value), best_epoch)
        for group, scores in groups.items()
        for name, value in scores.items()
    ]
