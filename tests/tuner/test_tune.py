"""A search from the outside: its folder, its winner, its failures; and that it goes on where it was killed."""

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
from tfkit.tuner.finals import difference
from tfkit.tuner.ledger import Ledger, locked
from tfkit.tuner.prepared import Prepared

TINY = Path(__file__).with_name("tiny.py")


def searched(folder):
    """What the ledger says, without what no two searches share."""
    kept = json.loads((folder / "search.json").read_text())
    return [(t["kind"], t["settings"], t["state"], t["score"], t["epochs"]) for t in kept["trials"]]


def page(folder, **replaced):
    """The page under this folder, with other domains."""
    text = TINY.read_text()
    for old, new in replaced.items():
        text = text.replace({"search": 'search={"units": [2, 4, 8]}', "monitor": "Config, data, model,"}[old], new)
    folder.mkdir(exist_ok=True)
    path = folder / "tiny.py"
    path.write_text(text)
    return path


@pytest.fixture(scope="module")
def search(tmp_path_factory):
    """A search of four trials with one finalist, and its winner."""
    folder = tmp_path_factory.mktemp("search")
    log = folder / "log"
    run = tfkit.tune(TINY, trials=4, finalists=1, out=folder / "out", log=str(log), quiet=True)
    return folder / "out", run, log.read_text().count("read")


def test_the_winner_is_a_run_like_any_other_and_alone_was_tested(search):
    folder, run, _ = search
    assert run.finished
    assert run.folder.parent.parent == folder
    tested = [path.parent for path in folder.glob("*/*/predictions.csv")]
    assert tested in ([run.folder], [])  # a task of one's own has none
    assert run.about["test"] is True
    others = [tfkit.Run(path.parent) for path in folder.glob("*/*/about.json") if path.parent != run.folder]
    assert others
    assert not any(other.about["test"] for other in others)
    again = tfkit.train(TINY, settings=folder / "best.json", out=folder.parent / "again", quiet=True)
    assert again.path("journal.jsonl").exists()
    assert again.config == run.config
    assert [line["val_loss"] for line in _lines(again)] == [line["val_loss"] for line in _lines(run)]


def _lines(run):
    return [json.loads(line) for line in run.path("journal.jsonl").read_text().splitlines()]


def test_the_first_trial_is_the_recipe_as_written_and_finalists_have_other_seeds_on_the_same_rows(search):
    folder, _, _ = search
    kept = json.loads((folder / "search.json").read_text())["trials"]
    assert kept[0]["kind"] == "written"
    assert kept[0]["settings"] == {}
    finals = [trial for trial in kept if trial["kind"] == "final"]
    assert sorted({trial["seed"] for trial in finals}) == [1, 2, 3]
    assert 1 in {trial["again"] for trial in finals}
    configs = [json.loads((folder / trial["run"] / "config.json").read_text()) for trial in finals]
    assert {config["split_seed"] for config in configs} == {0}
    assert len({trial["score"] for trial in finals}) == len(finals)


def test_rows_are_read_once_for_all_trials_and_once_for_the_winner(search):
    assert search[2] == 2


def test_a_trial_in_a_warm_process_has_the_bits_of_a_training_alone(search, tmp_path):
    folder, _, _ = search
    trial = json.loads((folder / "search.json").read_text())["trials"][2]
    alone = tfkit.train(TINY, settings=folder / trial["run"] / "config.json", test=False, out=tmp_path, quiet=True)
    assert min(line["val_loss"] for line in _lines(alone)) == trial["score"]


def test_the_disk_holds_the_best_few_models(search):
    folder, run, _ = search
    models = {path.parent for path in folder.glob("*/*/model.keras")}
    assert run.folder in models
    assert len(models) <= 4
    assert not list(folder.glob("*/*/checkpoints*"))


def test_a_finished_search_gives_its_winner_again(search, capfd):
    folder, run, _ = search
    again = tfkit.tune(TINY, trials=4, finalists=1, out=folder, log=run.config["log"])
    assert again.folder == run.folder
    assert searched(folder)[-1][0] == "winner"
    assert f"Already finished: {folder}" in capfd.readouterr().err


def test_a_changed_space_is_said_and_not_ignored(search):
    folder, run, _ = search
    log = run.config["log"]
    with pytest.raises(tfkit.UserError, match="was begun with another space; --fresh begins anew"):
        tfkit.tune(TINY, trials=4, out=folder, log=str(log), search=["units=100,200"], quiet=True)
    with pytest.raises(tfkit.UserError, match="was begun with another settings"):
        tfkit.tune(TINY, trials=4, out=folder, log=str(log), epochs=3, quiet=True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"trials": 0}, "`trials` and `jobs` must be at least 1"),
        ({"method": "luck"}, "`method` must be random, bayesian, hyperband or grid. Received: method=luck"),
        ({"objective": "mood"}, "`objective` must be a score whose direction is known, such as accuracy or log_loss"),
        ({"method": "hyperband", "objective": "accuracy"}, "Hyperband compares unfinished trainings"),
    ],
)
def test_what_cannot_be_searched_is_said_before_anything_is_trained(words, message, tmp_path):
    with pytest.raises(tfkit.UserError, match=message):
        tfkit.tune(TINY, out=tmp_path / "out", quiet=True, **words)
    assert not list(tmp_path.glob("out/trial*"))


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "precious").write_text("mine")
    for folder in (tmp_path, tmp_path / "precious"):
        with pytest.raises(tfkit.UserError, match="must be a new folder, or that of a search"):
            tfkit.tune(TINY, out=folder, fresh=True, quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_a_damaged_ledger_is_said(tmp_path):
    (tmp_path / "search.json").write_text('{"asked"')
    with pytest.raises(tfkit.UserError, match=r"search.json is damaged; --fresh begins anew"):
        Ledger.open(tmp_path, {})


def test_one_search_a_folder(tmp_path):
    with locked(tmp_path), pytest.raises(tfkit.UserError, match="Another search is at work"), locked(tmp_path):
        pass


def test_differences_are_seed_by_seed():
    from scipy.stats import ttest_rel

    one, other = {1: 3.0, 2: 4.0, 3: 5.0}, {1: 1.0, 2: 2.1, 3: 2.9}
    reference = ttest_rel(list(one.values()), list(other.values())).confidence_interval(0.95)
    assert difference(one, other)[1:] == pytest.approx((reference.low, reference.high))
    assert difference({1: 1.0}, {1: 2.0}) is None
    assert difference({1: 1.0, 2: 1.0}, {3: 1.0}) is None


def test_what_data_reads_is_what_makes_it_read_again():
    calls = []

    def data(config):
        calls.append(config.seed_of_splits)
        return tfkit.Data(0, 0, 0, {}, None)

    remembers, Config = Prepared(data), tfkit.Config
    first = remembers(Config.of({"seed": 1, "split_seed": 5}))
    assert remembers(Config.of({"seed": 2, "split_seed": 5, "learning_rate": 1})) is first
    assert remembers(Config.of({"seed": 2})) is not first
    assert remembers(Config.of({"seed": 3})) is not first
    assert calls == [5, 2, 3]


def test_data_that_draws_from_the_seed_itself_reads_again_for_another_seed():
    import numpy as np

    remembers = Prepared(lambda config: (np.random.rand(), tfkit.Data(0, 0, 0, {}, None))[1])
    first = remembers(tfkit.Config.of({"seed": 1}))
    assert remembers(tfkit.Config.of({"seed": 2})) is not first


def tune(folder, *words, path=TINY, **how):
    command = [sys.executable, "-m", "tfkit", "tune", str(path), "--out", str(folder), *words]
    heard = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs are deaf to it
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heard, **how)


@pytest.mark.long
def test_a_cluster_that_is_not_there_is_said(tmp_path):
    with pytest.raises(tfkit.UserError, match=r"pip install 'tfkit\[cluster\]'|No Dask scheduler answers at tcp://127"):
        tfkit.tune(TINY, out=tmp_path / "out", scheduler="tcp://127.0.0.1:9", quiet=True)


@pytest.mark.long
def test_a_search_that_is_killed_goes_on_to_the_same_trials(tmp_path):
    words = ["--trials", "5", "--finalists", "1", "epochs=40"]
    assert tune(tmp_path / "straight", *words).wait() == 0
    kills = 0
    for wait in (1, 9, 13, 16, 11, 12):
        process = tune(tmp_path / "killed", *words)
        try:
            process.wait(wait)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
    process = tune(tmp_path / "killed", *words)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert kills >= 3
    killed, straight = searched(tmp_path / "killed"), searched(tmp_path / "straight")
    assert [settings for _, settings, *_ in killed[:5]] == [settings for _, settings, *_ in straight[:5]]
    for one, other in zip(killed[:5], straight[:5], strict=True):
        if one[2] == other[2] == "done":  # when a poor one is stopped is a matter of the clock
            assert one == other
    assert (Path(out.strip()) / "metrics.json").exists()


@pytest.mark.long
def test_ctrl_c_says_how_to_go_on_and_leaves_no_process_behind(tmp_path):
    process = tune(tmp_path / "out", "--trials", "3", "fault=60")
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("out/trial-0001/*/about.json")) and time.monotonic() < deadline:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "the same command goes on" in err
    assert not subprocess.run(["pgrep", "-f", f"tfkit.tuner.child.*{tmp_path}"], capture_output=True).stdout


@pytest.mark.long
def test_a_trial_that_fails_is_shown_with_its_reason_and_never_wins(tmp_path):
    where = {"fault": ["raise", "kill", "nan"]}
    run = tfkit.tune(
        TINY,
        trials=4,
        finalists=0,
        method="grid",
        out=tmp_path / "out",
        search=where,
        quiet=True,
        learning_rate=0.01,
        batch_size=8,
        optimizer="adam",
        units=4,
    )
    kept = json.loads((tmp_path / "out" / "search.json").read_text())["trials"]
    reasons = {trial["settings"].get("fault"): trial["reason"] for trial in kept if trial["state"] == "failed"}
    assert "RuntimeError: no such luck" in reasons["raise"]
    assert "its process ended with SIGKILL: memory may have run out" in reasons["kill"]
    assert "finite" in reasons["nan"]
    assert run.config["fault"] == "none"


@pytest.mark.long
def test_a_grid_begins_where_the_recipe_as_written_is_so_that_must_train(tmp_path):
    for method in ("grid", "hyperband"):
        with pytest.raises(tfkit.UserError, match=f"must train, to be tuned by {method}. Received: RuntimeError"):
            tfkit.tune(TINY, trials=2, method=method, fault="raise", out=tmp_path / method, quiet=True)


@pytest.mark.long
def test_more_trials_of_a_finished_search_may_have_another_winner(tmp_path):
    where = {"learning_rate": [1e-5, 0.1], "units": [8], "batch_size": [8], "optimizer": ["adam"]}
    for trials in (2, 3):
        run = tfkit.tune(
            TINY, trials=trials, method="grid", finalists=0, out=tmp_path / "out", search=where, quiet=True
        )
        kept = json.loads((tmp_path / "out" / "search.json").read_text())["trials"]
        done = [trial for trial in kept if trial["kind"] != "winner" and trial["state"] == "done"]
        best = min(done, key=lambda trial: trial["score"])
        assert run.config["learning_rate"] == best["settings"].get("learning_rate", 1e-3)
    assert run.config["learning_rate"] == 0.1


@pytest.mark.long
def test_a_search_in_which_nothing_trains_says_why(tmp_path):
    process = tune(tmp_path / "out", "--trials", "2", "fault=raise")
    _, err = process.communicate()
    assert process.returncode == 2
    assert err.splitlines()[-1].startswith("tfkit: No trial has come to its end: RuntimeError: no such luck")


@pytest.mark.long
@pytest.mark.parametrize("method", ["bayesian", "hyperband", "grid"])
def test_every_method_comes_to_a_winner(method, tmp_path):
    trials = 13 if method == "hyperband" else 6
    rates = [0.01, 0.03, 0.1] if method == "grid" else tfkit.log(0.01, 0.1)
    where = {"units": [2, 8], "learning_rate": rates, "batch_size": [8], "optimizer": ["adam"]}
    run = tfkit.tune(
        TINY, trials=trials, method=method, finalists=0, out=tmp_path / "out", search=where, epochs=9, quiet=True
    )
    kept = json.loads((tmp_path / "out" / "search.json").read_text())["trials"]
    scores = [t["score"] for t in kept if t["state"] == "done" and t["kind"] != "winner"]
    assert min(_lines(run), key=lambda line: line["val_loss"])["val_loss"] == min(scores)
    if method == "hyperband":
        assert {t["epochs"] for t in kept if t["state"] == "paused"} <= {1, 3}
        onward = [t for t in kept if t["goes_on"]]
        assert onward
        for trial in onward:  # with its whole state: as if it had never paused
            config = json.loads((tmp_path / "out" / trial["run"] / "config.json").read_text())
            alone = tfkit.train(TINY, settings=config, test=False, out=tmp_path / "alone", quiet=True)
            values = [line["val_loss"] for line in _lines(tfkit.Run(tmp_path / "out" / trial["run"]))]
            assert len(values) >= trial["until"]
            assert values == [line["val_loss"] for line in _lines(alone)][: len(values)]


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name, _ in tfkit.ls()])
def test_every_page_can_be_tuned(name, tmp_path):
    process = tune(tmp_path / "out", "--trials", "3", "--finalists", "0", "epochs=1", path=name)
    out, err = process.communicate()
    assert process.returncode == 0, err
    states = [state for _, _, state, _, _ in searched(tmp_path / "out")]
    assert set(states) <= {"done", "stopped"}, err
    assert tfkit.Run(out.strip()).finished


@pytest.mark.long
def test_two_jobs_try_what_one_does(tmp_path):
    for jobs in (1, 2):
        tfkit.tune(TINY, trials=6, jobs=jobs, finalists=0, out=tmp_path / str(jobs), quiet=True)
    one, two = (searched(tmp_path / str(jobs)) for jobs in (1, 2))
    assert [settings for _, settings, *_ in one[:6]] == [settings for _, settings, *_ in two[:6]]


@pytest.mark.long
def test_poor_trials_are_stopped_early(tmp_path):
    where = {
        "learning_rate": [0.03, 0.031, 0.032, 0.033, 0.034, 1e-6],
        "units": [8],
        "batch_size": [8],
        "optimizer": ["adam"],
    }
    tfkit.tune(TINY, trials=7, finalists=0, method="grid", out=tmp_path / "out", search=where, epochs=400, quiet=True)
    *good, poor = searched(tmp_path / "out")[:7]
    assert {state for _, _, state, _, _ in good} <= {"done", "stopped"}
    assert poor[1]["learning_rate"] == 1e-6
    assert poor[2] == "stopped"
    assert 400 / 3 <= poor[4] < 400


@pytest.mark.long
def test_a_recipe_in_memory_is_tuned_here_one_at_a_time(tmp_path, capfd):
    mine = tfkit.load(TINY).replace(monitor="val_loss")
    run = tfkit.tune(mine, trials=2, finalists=0, jobs=2, out=tmp_path / "out")
    assert run.finished
    assert "exists in memory only: its trials run in this process, one at a time" in capfd.readouterr().err


def test_fresh_begins_anew(tmp_path):
    Ledger.open(tmp_path / "out", {"method": "grid"})
    found = Ledger.open(tmp_path / "out", {"method": "random"}, fresh=True)
    assert found.asked == {"method": "random"}
    assert found.trials == []
    shutil.rmtree(tmp_path / "out")


@pytest.mark.long
@pytest.mark.parametrize("method", ["random", "bayesian"])
def test_trials_train_over_a_mirrored_strategy(method, tmp_path):
    run = tfkit.tune(TINY, trials=3, method=method, finalists=0, device="mirrored:2", out=tmp_path / "two", quiet=True)
    tfkit.tune(TINY, trials=3, method=method, finalists=0, out=tmp_path / "one", quiet=True)
    assert run.about["device"] == "mirrored:2"
    one, two = (searched(tmp_path / name)[:3] for name in ("one", "two"))
    assert [settings for _, settings, *_ in one] == [settings for _, settings, *_ in two]
    assert [score for *_, score, _ in one] == pytest.approx([score for *_, score, _ in two], rel=1e-5)
