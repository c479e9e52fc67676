"""Worker processes: shares of cores and GPUs, and a Dask cluster."""

import json

import pytest

import tfkit
from tests.tuning.test_tune import TINY, comparable_trials
from tfkit.tuning import worker_pool


@pytest.mark.parametrize(("index", "count", "share"), [(0, 1, [5, 6, 7]), (0, 2, [5, 7]), (1, 2, [6]), (4, 5, [6])])
def test_items_are_divided_among_workers(index, count, share):
    assert worker_pool.share_of([5, 6, 7], index, count) == share


def test_gpus_are_divided_among_workers(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,2,3")
    assert worker_pool.worker_environment(1, 2)["CUDA_VISIBLE_DEVICES"] == "2"
    assert worker_pool.worker_environment(0, 1)["CUDA_VISIBLE_DEVICES"] == "0,2,3"


@pytest.mark.long
def test_trials_run_on_a_dask_cluster(tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        run = tfkit.tune(
            TINY,
            trials=4,
            workers=2,
            finalists=0,
            out=tmp_path / "dask",
            quiet=True,
            dask_address=cluster.scheduler_address,
        )
    tfkit.tune(TINY, trials=4, finalists=0, out=tmp_path / "local", quiet=True)
    assert comparable_trials(tmp_path / "dask") == comparable_trials(tmp_path / "local")
    assert json.loads((run.folder / "metrics.json").read_text())["task"] == "custom"
