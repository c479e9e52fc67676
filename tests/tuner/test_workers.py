"""Processes that train: what one of them dies of, what share of the machine it has, and a cluster of them."""

import json

import pytest

import tfkit
from tests.tuner.test_tune import TINY, searched
from tfkit.tuner import workers


@pytest.mark.parametrize(("number", "of", "share"), [(0, 1, [5, 6, 7]), (0, 2, [5, 7]), (1, 2, [6]), (4, 5, [6])])
def test_workers_share_out_cores_and_gpus(number, of, share):
    assert workers.share_of([5, 6, 7], number, of) == share


def test_several_workers_share_out_the_gpus_that_there_are(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,2,3")
    assert workers.environment(1, 2)["CUDA_VISIBLE_DEVICES"] == "2"
    assert workers.environment(0, 1)["CUDA_VISIBLE_DEVICES"] == "0,2,3"


@pytest.mark.long
def test_a_dask_cluster_trains_by_its_address(tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        run = tfkit.tune(
            TINY, trials=4, jobs=2, finalists=0, out=tmp_path / "out", quiet=True, scheduler=cluster.scheduler_address
        )
    tfkit.tune(TINY, trials=4, finalists=0, out=tmp_path / "here", quiet=True)
    assert searched(tmp_path / "out") == searched(tmp_path / "here")
    assert json.loads((run.folder / "metrics.json").read_text())["task"] == "own"
