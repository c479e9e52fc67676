"""`tfkit.tune`: its directory, its winner, failed trials, and resuming after a kill."""

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tfkit
from tfkit.tuning.data_cache import DataCache
from tfkit.tuning.finalists import paired_difference
from tfkit.tuning.study import Study, lock_folder

TINY = Path(__file__).with_name("tiny.py")


def read_trials(folder):
    """Trials of a search, from its state file."""
    return json.loads((folder / "search.json").read_text())["trials"]


def comparable_trials(folder):
    """Kind, settings, state, score and epochs of each trial, which are equal for equal searches."""
    return [
        (trial["kind"], trial["settings"], trial["state"], trial["score"], trial["epochs"])
        for trial in read_trials(folder)
    ]


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    """Directory of a search with four trials and one finalist, its winner, and how often the data was loaded."""
    folder = tmp_path_factory.mktemp("search")
    log = folder / "log"
    run = tfkit.tune(TINY, trials=4, finalists=1, out=folder / "out", log=str(log), quiet=True)
    return folder / "out", run, log.read_text().count("read")


def test_winner_is_a_normal_run_and_the_only_one_scored_on_the_test_set(search):
    folder, run, _ = search
    assert run.finished
    assert run.folder.parent.parent == folder
    tested = [path.parent for path in folder.glob("*/*/predictions.csv")]
    assert tested in ([run.folder], [])  # a custom task has no predictions
    assert run.provenance["skip_test"] is False
    trial_runs = [tfkit.Run(path.parent) for path in folder.glob("*/*/provenance.json") if path.parent != run.folder]
    assert trial_runs
    assert all(trial_run.provenance["skip_test"] for trial_run in trial_runs)
    retrained = tfkit.train(TINY, config=folder / "best.json", out=folder.parent / "retrained", quiet=True)
    assert retrained.path("history.jsonl").exists()
    assert retrained.config == run.config
    assert _val_losses(retrained) == _val_losses(run)


def _val_losses(run):
    """Validation loss of each epoch."""
    return [json.loads(line)["val_loss"] for line in run.path("history.jsonl").read_text().splitlines()]


def test_first_trial_is_the_default_and_finalists_have_new_seeds_on_the_same_rows(search):
    folder, _, _ = search
    trials = read_trials(folder)
    assert trials[0]["kind"] == "default"
    assert trials[0]["settings"] == {}
    finalists = [trial for trial in trials if trial["kind"] == "finalist"]
    assert sorted({trial["seed"] for trial in finalists}) == [1, 2, 3]
    assert 1 in {trial["retrained_trial"] for trial in finalists}
    configs = [json.loads((folder / trial["run"] / "config.json").read_text()) for trial in finalists]
    assert {config["split_seed"] for config in configs} == {0}
    assert len({trial["score"] for trial in finalists}) == len(finalists)


@pytest.mark.slow
def test_data_is_loaded_once_for_all_trials_and_once_for_the_winner(search):
    assert search[2] == 2


def test_trial_in_a_reused_process_equals_a_separate_training(search, tmp_path):
    folder, _, _ = search
    trial = read_trials(folder)[2]
    separate = tfkit.train(TINY, config=folder / trial["run"] / "config.json", skip_test=True, out=tmp_path, quiet=True)
    assert min(_val_losses(separate)) == trial["score"]


def test_only_the_best_models_stay_on_disk(search):
    folder, run, _ = search
    models = {path.parent for path in folder.glob("*/*/model.keras")}
    assert run.folder in models
    assert len(models) <= 4
    assert not list(folder.glob("*/*/checkpoints*"))


def test_finished_search_returns_its_winner(search, capfd):
    folder, run, _ = search
    same_run = tfkit.tune(TINY, trials=4, finalists=1, out=folder, log=run.config["log"])
    assert same_run.folder == run.folder
    assert comparable_trials(folder)[-1][0] == "winner"
    assert f"Already finished: {folder}" in capfd.readouterr().err


def test_changed_search_raises(search):
    folder, run, _ = search
    log = run.config["log"]
    with pytest.raises(
        tfkit.UserError, match=r"The space must be the same as when the search in .* was started; use --overwrite"
    ):
        tfkit.tune(TINY, trials=4, out=folder, log=str(log), search=["units=100,200"], quiet=True)
    with pytest.raises(tfkit.UserError, match="The settings must be the same as when the search"):
        tfkit.tune(TINY, trials=4, out=folder, log=str(log), epochs=3, quiet=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trials": 0}, "`trials` and `workers` must be at least 1"),
        (
            {"algorithm": "unknown"},
            "`algorithm` must be random, bayesian, hyperband or grid. Received: algorithm=unknown",
        ),
        ({"objective": "custom"}, "`objective` must be a score whose direction is known, such as accuracy or log_loss"),
        ({"algorithm": "hyperband", "objective": "accuracy"}, "Hyperband compares unfinished trainings"),
    ],
)
def test_invalid_arguments_raise_before_training(arguments, message, tmp_path):
    with pytest.raises(tfkit.UserError, match=message):
        tfkit.tune(TINY, out=tmp_path / "out", quiet=True, **arguments)
    assert not list(tmp_path.glob("out/trial*"))


def test_folder_with_different_content_is_not_changed(tmp_path):
    (tmp_path / "unrelated").write_text("content")
    for folder in (tmp_path, tmp_path / "unrelated"):
        with pytest.raises(tfkit.UserError, match="must be a new directory, or the directory of a search"):
            tfkit.tune(TINY, out=folder, overwrite=True, quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["unrelated"]


def test_damaged_state_file_raises(tmp_path):
    (tmp_path / "search.json").write_text('{"request"')
    with pytest.raises(tfkit.UserError, match=r"search.json is damaged; use --overwrite to start over"):
        Study.open(tmp_path, {})


def test_second_search_in_a_folder_raises(tmp_path):
    with (
        lock_folder(tmp_path),
        pytest.raises(tfkit.UserError, match="Another search is running"),
        lock_folder(tmp_path),
    ):
        pass


def test_paired_difference_equals_scipy():
    from scipy.stats import ttest_rel

    scores, reference_scores = {1: 3.0, 2: 4.0, 3: 5.0}, {1: 1.0, 2: 2.1, 3: 2.9}
    interval = ttest_rel(list(scores.values()), list(reference_scores.values())).confidence_interval(0.95)
    assert paired_difference(scores, reference_scores)[1:] == pytest.approx((interval.low, interval.high))
    assert paired_difference({1: 1.0}, {1: 2.0}) is None
    assert paired_difference({1: 1.0, 2: 1.0}, {3: 1.0}) is None


def test_data_is_loaded_again_only_if_a_setting_it_reads_changes():
    calls = []

    def data(config):
        calls.append(config.effective_split_seed)
        return tfkit.Data(0, 0, 0, {}, None)

    cached_data, Config = DataCache(data), tfkit.Config
    first = cached_data(Config.from_dict({"seed": 1, "split_seed": 5}))
    assert cached_data(Config.from_dict({"seed": 2, "split_seed": 5, "learning_rate": 1})) is first
    assert cached_data(Config.from_dict({"seed": 2})) is not first
    assert cached_data(Config.from_dict({"seed": 3})) is not first
    assert calls == [5, 2, 3]


def test_data_that_uses_the_global_random_generator_is_loaded_again_for_a_new_seed():
    import numpy as np

    cached_data = DataCache(lambda config: (np.random.rand(), tfkit.Data(0, 0, 0, {}, None))[1])
    first = cached_data(tfkit.Config.from_dict({"seed": 1}))
    assert cached_data(tfkit.Config.from_dict({"seed": 2})) is not first


def start_tune(folder, *arguments, recipe=TINY):
    """Start `tfkit tune` in a subprocess."""
    command = [sys.executable, "-m", "tfkit", "tune", str(recipe), "--out", str(folder), *arguments]
    # a background job of a shell ignores SIGINT by default
    reset_sigint = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=reset_sigint)


@pytest.mark.long
def test_unreachable_cluster_raises(tmp_path):
    with pytest.raises(
        tfkit.UserError, match=r"pip install 'keras-recipes\[cluster\]'|No Dask scheduler is reachable at tcp://127"
    ):
        tfkit.tune(TINY, out=tmp_path / "out", dask_address="tcp://127.0.0.1:9", quiet=True)


@pytest.mark.long
def test_killed_search_resumes_with_the_same_trials(tmp_path):
    arguments = ["--trials", "5", "--finalists", "1", "epochs=40"]
    assert start_tune(tmp_path / "uninterrupted", *arguments).wait() == 0
    kills = 0
    for seconds in (1, 9, 13, 16, 11, 12):
        process = start_tune(tmp_path / "killed", *arguments)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
    process = start_tune(tmp_path / "killed", *arguments)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert kills >= 3
    killed, expected = (comparable_trials(tmp_path / name)[:5] for name in ("killed", "uninterrupted"))
    assert [settings for _, settings, *_ in killed] == [settings for _, settings, *_ in expected]
    for trial, expected_trial in zip(killed, expected, strict=True):
        if trial[2] == expected_trial[2] == "done":  # the epoch at which a poor trial is stopped depends on timing
            assert trial == expected_trial
    assert (Path(out.strip()) / "metrics.json").exists()


@pytest.mark.long
def test_ctrl_c_prints_how_to_resume_and_leaves_no_process(tmp_path):
    process = start_tune(tmp_path / "out", "--trials", "3", "fault=60")
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("out/trial-0001/*/provenance.json")) and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "run the same command again to resume it" in err
    assert not subprocess.run(["pgrep", "-f", f"tfkit.tuning.worker.*{tmp_path}"], capture_output=True).stdout


@pytest.mark.long
def test_failed_trial_has_a_reason_and_never_wins(tmp_path):
    space = {"fault": ["raise", "kill", "nan"]}
    run = tfkit.tune(
        TINY,
        trials=4,
        finalists=0,
        algorithm="grid",
        out=tmp_path / "out",
        search=space,
        quiet=True,
        learning_rate=0.01,
        batch_size=8,
        optimizer="adam",
        units=4,
    )
    failed = [trial for trial in read_trials(tmp_path / "out") if trial["state"] == "failed"]
    reasons = {trial["settings"].get("fault"): trial["reason"] for trial in failed}
    assert "RuntimeError: simulated failure" in reasons["raise"]
    assert "its process ended with SIGKILL: possibly out of memory" in reasons["kill"]
    assert "finite" in reasons["nan"]
    assert run.config["fault"] == "none"


@pytest.mark.long
def test_grid_and_hyperband_need_default_settings_that_train(tmp_path):
    for algorithm in ("grid", "hyperband"):
        with pytest.raises(tfkit.UserError, match=f"must train for a search by {algorithm}. Received: RuntimeError"):
            tfkit.tune(TINY, trials=2, algorithm=algorithm, fault="raise", out=tmp_path / algorithm, quiet=True)


@pytest.mark.long
def test_extended_search_may_have_a_different_winner(tmp_path):
    space = {"learning_rate": [1e-5, 0.1], "units": [8], "batch_size": [8], "optimizer": ["adam"]}
    for trials in (2, 3):
        run = tfkit.tune(
            TINY, trials=trials, algorithm="grid", finalists=0, out=tmp_path / "out", search=space, quiet=True
        )
        done = [
            trial for trial in read_trials(tmp_path / "out") if trial["kind"] != "winner" and trial["state"] == "done"
        ]
        best = min(done, key=lambda trial: trial["score"])
        assert run.config["learning_rate"] == best["settings"].get("learning_rate", 1e-3)
    assert run.config["learning_rate"] == 0.1


@pytest.mark.long
def test_search_without_a_finished_trial_reports_the_reason(tmp_path):
    process = start_tune(tmp_path / "out", "--trials", "2", "fault=raise")
    _, err = process.communicate()
    assert process.returncode == 2
    assert err.splitlines()[-1].startswith("tfkit: No trial finished: RuntimeError: simulated failure")


@pytest.mark.long
@pytest.mark.parametrize("algorithm", ["bayesian", "hyperband", "grid"])
def test_every_method_has_a_winner(algorithm, tmp_path):
    num_trials = 13 if algorithm == "hyperband" else 6
    learning_rates = [0.01, 0.03, 0.1] if algorithm == "grid" else tfkit.log_uniform(0.01, 0.1)
    space = {"units": [2, 8], "learning_rate": learning_rates, "batch_size": [8], "optimizer": ["adam"]}
    run = tfkit.tune(
        TINY,
        trials=num_trials,
        algorithm=algorithm,
        finalists=0,
        out=tmp_path / "out",
        search=space,
        epochs=9,
        quiet=True,
    )
    trials = read_trials(tmp_path / "out")
    scores = [trial["score"] for trial in trials if trial["state"] == "done" and trial["kind"] != "winner"]
    assert min(_val_losses(run)) == min(scores)
    if algorithm == "hyperband":
        assert {trial["epochs"] for trial in trials if trial["state"] == "paused"} <= {1, 3}
        resumed = [trial for trial in trials if trial["resumed_trial"]]
        assert resumed
        for trial in resumed:  # with its complete state: equal to a training without a pause
            config = json.loads((tmp_path / "out" / trial["run"] / "config.json").read_text())
            separate = tfkit.train(TINY, config=config, skip_test=True, out=tmp_path / "separate", quiet=True)
            values = _val_losses(tfkit.Run(tmp_path / "out" / trial["run"]))
            assert len(values) >= trial["stop_after_epoch"]
            assert values == _val_losses(separate)[: len(values)]


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name, _ in tfkit.list_recipes()])
def test_every_recipe_can_be_tuned(name, tmp_path):
    process = start_tune(tmp_path / "out", "--trials", "3", "--finalists", "0", "epochs=1", recipe=name)
    out, err = process.communicate()
    assert process.returncode == 0, err
    states = [state for _, _, state, _, _ in comparable_trials(tmp_path / "out")]
    assert set(states) <= {"done", "stopped"}, err
    assert tfkit.Run(out.strip()).finished


@pytest.mark.long
def test_two_jobs_run_the_same_trials_as_one(tmp_path):
    for jobs in (1, 2):
        tfkit.tune(TINY, trials=6, workers=jobs, finalists=0, out=tmp_path / str(jobs), quiet=True)
    one_job, two_jobs = (comparable_trials(tmp_path / str(jobs))[:6] for jobs in (1, 2))
    assert [settings for _, settings, *_ in one_job] == [settings for _, settings, *_ in two_jobs]


@pytest.mark.long
def test_poor_trials_are_stopped_early(tmp_path):
    space = {
        "learning_rate": [0.03, 0.031, 0.032, 0.033, 0.034, 1e-6],
        "units": [8],
        "batch_size": [8],
        "optimizer": ["adam"],
    }
    tfkit.tune(
        TINY, trials=7, finalists=0, algorithm="grid", out=tmp_path / "out", search=space, epochs=400, quiet=True
    )
    *good, poor = comparable_trials(tmp_path / "out")[:7]
    assert {state for _, _, state, _, _ in good} <= {"done", "stopped"}
    assert poor[1]["learning_rate"] == 1e-6
    assert poor[2] == "stopped"
    assert 400 / 3 <= poor[4] < 400


@pytest.mark.long
def test_recipe_in_memory_is_tuned_in_this_process(tmp_path, capfd):
    recipe = tfkit.load_recipe(TINY).replace(monitor="val_loss")
    run = tfkit.tune(recipe, trials=2, finalists=0, workers=2, out=tmp_path / "out")
    assert run.finished
    assert "exists only in memory: its trials run in this process, one at a time" in capfd.readouterr().err


def test_fresh_deletes_the_existing_search(tmp_path):
    Study.open(tmp_path / "out", {"algorithm": "grid"})
    study = Study.open(tmp_path / "out", {"algorithm": "random"}, overwrite=True)
    assert study.request == {"algorithm": "random"}
    assert study.trials == []
    shutil.rmtree(tmp_path / "out")


@pytest.mark.long
@pytest.mark.parametrize("algorithm", ["random", "bayesian"])
def test_trials_train_with_a_mirrored_strategy(algorithm, tmp_path):
    run = tfkit.tune(
        TINY, trials=3, algorithm=algorithm, finalists=0, device="mirrored:2", out=tmp_path / "two", quiet=True
    )
    tfkit.tune(TINY, trials=3, algorithm=algorithm, finalists=0, out=tmp_path / "one", quiet=True)
    assert run.provenance["device"] == "mirrored:2"
    one_replica, two_replicas = (comparable_trials(tmp_path / name)[:3] for name in ("one", "two"))
    assert [settings for _, settings, *_ in one_replica] == [settings for _, settings, *_ in two_replicas]
    assert [score for *_, score, _ in one_replica] == pytest.approx([score for *_, score, _ in two_replicas], rel=1e-5)
