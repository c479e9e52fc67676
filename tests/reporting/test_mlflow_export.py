import socket
import subprocess
import sys
import time
import urllib.request
from importlib.util import find_spec

import pytest

import tfkit
from tfkit.reporting.mlflow_export import log_to_mlflow

needs_mlflow = pytest.mark.skipif(
    find_spec("mlflow") is None, reason="needs mlflow: pip install 'keras-recipes[mlflow]'"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Address of a local MLflow server."""
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free_socket:
        free_socket.bind(("127.0.0.1", 0))
        port = free_socket.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "mlflow",
        "server",
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--workers",
        "1",
        "--backend-store-uri",
        f"sqlite:///{folder}/store.db",
        "--artifacts-destination",
        str(folder / "files"),
    ]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/health", timeout=1)
                break
            except OSError:
                time.sleep(0.5)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def assert_logged(client, run_id, run, folder):
    """Assert that the data in MLflow equal those of the run."""
    logged = client.get_run(run_id)
    assert logged.info.status == "FINISHED"
    assert logged.data.params["learning_rate"] == str(run.config["learning_rate"])
    assert len(logged.data.params) == len(run.config)
    assert logged.data.metrics["test/accuracy"] == pytest.approx(run.metrics["test"]["accuracy"])
    assert logged.data.metrics["baseline_dummy/accuracy"] == pytest.approx(
        run.metrics["baselines"]["dummy"]["accuracy"]
    )
    steps = [metric.step for metric in client.get_metric_history(run_id, "val_loss")]
    assert steps == list(range(1, run.config["epochs"] + 1))
    model = client.download_artifacts(run_id, "model.keras", str(folder))
    with open(model, "rb") as file:
        assert file.read() == run.path("model.keras").read_bytes()


@needs_mlflow
@pytest.mark.slow
def test_server_has_settings_scores_curves_and_the_model(runs, server, tmp_path):
    import mlflow

    run_id = log_to_mlflow(runs[0], server)
    assert_logged(mlflow.MlflowClient(server), run_id, runs[0], tmp_path)


@needs_mlflow
@pytest.mark.slow
def test_local_store_is_a_sqlite_file_in_the_current_folder(runs, tmp_path, monkeypatch):
    import mlflow

    monkeypatch.chdir(tmp_path)
    first, second = log_to_mlflow(runs[0]), log_to_mlflow(runs[1])
    assert (tmp_path / "mlflow.db").is_file()
    client = mlflow.MlflowClient("sqlite:///mlflow.db")
    assert_logged(client, first, runs[0], tmp_path)
    assert len(client.search_runs([client.get_experiment_by_name("tabular").experiment_id])) == 2
    assert first != second


@needs_mlflow
@pytest.mark.slow
def test_unreachable_server_raises(runs, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(
        tfkit.UserError, match=r"MLflow must be reachable under its address. Received: http://127.0.0.1:9"
    ):
        log_to_mlflow(runs[0], "http://127.0.0.1:9")


def test_missing_mlflow_raises(runs, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(tfkit.UserError, match=r"pip install 'keras-recipes\[mlflow\]'"):
        log_to_mlflow(runs[0])
