import html
import json
import re
import subprocess
import sys

import pandas as pd
import pytest

import tfkit
from tests.report.conftest import RARE, SMALL, table
from tfkit.report import report
from tfkit.report.evidence import gathering

LOADED = re.compile(r"""(?:src|href|xlink:href|url)\s*[=(]\s*["']?(?!#|data:)([^"')\s]+)""")


@pytest.fixture(scope="module")
def page(runs):
    return runs[0].path("report.html").read_text(encoding="utf-8")


def test_it_is_one_small_file_that_loads_nothing(page, runs):
    assert runs[0].path("report.html").stat().st_size < 2_000_000
    assert LOADED.findall(page) == []
    assert "<script" not in page


def test_it_answers_how_good_where_it_fails_what_happened_and_how_to_do_it_again(page):
    titles = re.findall(r"<h2[^>]*>(.*?)</h2>", page)
    assert titles == [
        "How good",
        "What the curves say",
        "Where it fails",
        "What its probabilities are worth",
        "From which probability on to say yes",
        "Which columns matter",
        "For whom it is worse",
        "Labels to look at",
        "What happened in training",
        "Data",
        "Model",
        "Settings",
        "How to do it again",
    ]


def test_names_from_data_are_written_as_they_are_and_never_run(page):
    assert html.escape(RARE).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in page
    for raw in (RARE, "<b>x</b>", "a <i>"):
        assert raw not in page


def test_every_drawing_has_words_and_every_id_is_its_own(page):
    drawings = re.findall(r"<svg[^>]*>", page)
    assert len(drawings) >= 8
    assert all('role="img"' in one and 'aria-label="' in one for one in drawings)
    ids = re.findall(r'\bid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]*)\)", page)) <= set(ids)


def test_headings_go_down_one_step_at_a_time(page):
    levels = [int(level) for level in re.findall(r"<h([1-6])", page)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))


def test_changed_settings_are_marked(page):
    assert "units (changed)" in page
    assert "seed (changed)" not in page


def test_the_score_of_metrics_json_stands_on_top_beside_the_best_baseline(page, runs):
    metrics = runs[0].metrics
    top = page[: page.index("<nav")]
    assert f"{metrics['test']['accuracy']:.4g}" in top
    assert f"{metrics['against']['other']:.4g}" in top
    assert metrics["verdict"] in html.unescape(top)


def test_slices_asked_for_are_shown_and_a_planted_one_is_found(runs):
    told = runs[0].evidence["slices"]
    assert {one["value"] for one in told["asked"]} == {"<b>x</b>", "y", "z"}
    assert [(one["column"], one["value"]) for one in told["worst"]] == [("word", "z")]


def test_an_unknown_slice_is_refused(tmp_path):
    table(30).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(tfkit.UserError, match=r"must have the column 'wrod'. Did you mean 'word'?"):
        tfkit.train("tabular", table=tmp_path / "t.csv", target="label", slices=["wrod"], out=tmp_path, quiet=True)


def test_doubted_rows_are_named_as_in_the_file_and_wrong(runs):
    frame = pd.read_csv(runs[0].path("doubted.csv"))
    own = table().iloc[frame["row"] - 1].reset_index(drop=True)
    assert (own["label"] == frame["label"]).all()
    assert own["word"].tolist() == frame["word"].tolist()
    assert (frame["label"] != frame["predicted"]).all()
    assert frame["probability_of_label"].is_monotonic_increasing


def test_it_is_made_again_from_the_folder_alone_without_keras(runs):
    before = runs[0].path("report.html").read_bytes()
    code = (
        "import sys; from tfkit.cli import main; code = main(['report', sys.argv[1]]); "
        "print(code, [name for name in ('keras', 'tensorflow') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, runs[0].folder], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"
    assert runs[0].path("report.html").read_bytes() == before


def test_a_dearer_miss_lowers_the_threshold(runs):
    def cheapest(cost):
        page = html.unescape(report(runs[0], cost=cost).read_text(encoding="utf-8"))
        return float(re.search(r'scope="row">least cost</th><td[^>]*>([\d.]+)', page).group(1))

    assert cheapest(20) < cheapest(0.1)
    report(runs[0])


def test_a_cost_that_is_none_is_refused(runs):
    with pytest.raises(tfkit.UserError, match=r"must be above 0. Received: 0"):
        report(runs[0], cost=0)


def test_a_run_that_is_not_finished_has_no_report(runs, tmp_path):
    for name in ("config.json", "about.json", "info.json"):
        (tmp_path / name).write_bytes(runs[0].path(name).read_bytes())
    with pytest.raises(tfkit.UserError, match="must be finished"):
        report(tfkit.Run(tmp_path))


def test_a_run_without_evidence_has_a_report_that_says_so(runs, tmp_path):
    for path in runs[0].folder.glob("*.[cj]s*"):
        if path.name != "evidence.json":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    page = report(tfkit.Run(tmp_path)).read_text(encoding="utf-8")
    assert "trained without a report" in page
    assert "Which columns matter" not in page


def failing(trained):
    raise ValueError("no luck")


def test_what_cannot_be_looked_at_is_named_and_costs_nothing_else(tmp_path, monkeypatch, caplog):
    table(200).to_csv(tmp_path / "t.csv", index=False)
    looks = gathering._looks()
    monkeypatch.setattr(gathering, "_looks", lambda: looks | {"columns": (failing, ())})
    run = tfkit.train(
        "tabular",
        table=tmp_path / "t.csv",
        target="label",
        out=tmp_path,
        report=True,
        quiet=True,
        **SMALL | {"epochs": 1},
    )
    assert run.finished
    assert "columns" not in run.evidence
    assert "For whom it is worse" in run.path("report.html").read_text(encoding="utf-8")
    assert "This report goes without columns: ValueError: no luck" in run.path("report.html").read_text(
        encoding="utf-8"
    )
    monkeypatch.setattr("tfkit.report.evidence.gather", failing)
    again = tfkit.train(
        "tabular",
        table=tmp_path / "t.csv",
        target="label",
        out=tmp_path,
        report=True,
        quiet=True,
        **SMALL | {"epochs": 1},
    )
    assert again.finished
    assert not again.path("report.html").exists()
    assert "No report was made, and the run is finished all the same: ValueError: no luck" in caplog.text


SAMPLES = {
    "image": ({"epochs": 2}, ["Pictures it fails on", "What is taken for what"]),
    "text": ({"epochs": 1, "encoder": "none", "refit": False}, ["Texts it is most wrong about"]),
    "series": ({"epochs": 2}, ["Series it is most wrong about"]),
    "forecast": ({"epochs": 2}, ["The last windows", "How far ahead it can be trusted"]),
    "tabular": (
        {"epochs": 1, "body": "mlp", "table": str(tfkit.sample("diamonds.csv.gz")), "target": "price"},
        ["Predicted against true", "Error by decile", "Which columns matter"],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("recipe", SAMPLES)
def test_every_page_has_its_own_parts_and_nothing_is_missing(recipe, tmp_path):
    settings, parts = SAMPLES[recipe]
    run = tfkit.train(recipe, out=tmp_path, report=True, quiet=True, **settings)
    page = run.path("report.html").read_text(encoding="utf-8")
    assert all(part in page for part in parts)
    assert run.evidence["not_made"] == {}
    assert LOADED.findall(page) == []
    assert len(page) < 2_000_000
    assert sum(run.evidence["seconds"].values()) < 20
    json.dumps(run.evidence, allow_nan=False)
