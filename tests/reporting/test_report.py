import html
import json
import re
import subprocess
import sys
from importlib import import_module
from types import SimpleNamespace

import pandas as pd
import pytest

import tfkit
from tests.reporting.conftest import FAST_SETTINGS, POSITIVE, table
from tfkit.catalog.topics import find_meaning
from tfkit.reporting.report import report
from tfkit.reporting.sections.examples import _number_of_mistakes

run_analyses = import_module("tfkit.analysis.run_analyses")  # the package exports the function of the same name

EXTERNAL_URL = re.compile(r"""(?:src|href|xlink:href|url)\s*[=(]\s*["']?(?!#|data:)([^"')\s]+)""")


@pytest.fixture(scope="module")
def report_html(runs):
    return runs[0].path("report.html").read_text(encoding="utf-8")


def test_report_is_one_small_file_without_external_resources(report_html, runs):
    assert runs[0].path("report.html").stat().st_size < 2_000_000
    assert EXTERNAL_URL.findall(report_html) == []
    assert "<script" not in report_html


def test_report_has_all_sections_in_order(report_html):
    titles = re.findall(r"<h2[^>]*>(.*?)</h2>", report_html)
    assert titles == [
        "Test scores",
        "Diagnostics",
        "Errors",
        "Calibration and ROC",
        "Decision threshold",
        "Feature importance",
        "Slices",
        "Possible label errors",
        "Training",
        "Data",
        "Model",
        "Settings",
        "How to use this model",
        "Reproduce this run",
        "Terms",
    ]


def test_metrics_are_explained_on_hover_and_in_a_list(report_html, runs):
    meaning = find_meaning("roc_auc")
    assert f'<abbr title="{meaning}">ROC AUC</abbr>' in html.unescape(report_html)
    terms = report_html[report_html.index(">Terms</h2>") :]
    assert meaning in html.unescape(terms)
    assert "tfkit" not in terms[: terms.index("</table>")], "commands are not meanings"
    for name in ("accuracy", "log loss", "baseline", "95% interval"):
        assert f">{name}</abbr></th>" in terms


def test_scores_to_compare_have_the_same_decimals(report_html):
    table = report_html[report_html.index("Scores on the test set") :]
    table = table[: table.index("</table>")]
    for row in re.findall(r"<tr>(.*?)</tr>", table):
        cells = re.findall(r"\d+\.(\d+)", re.sub(r'title="[^"]*"', "", row))
        assert len({len(decimals) for decimals in cells}) <= 1


def test_title_is_what_is_predicted_the_file_and_the_day(report_html, runs):
    title = re.search(r"<h1>(.*?)</h1>", report_html)[1]
    assert title == f"Predict label from table.csv, {runs[0].provenance['started'][:10]}"


def test_printed_commands_use_this_model(report_html, runs):
    assert f"tfkit predict {runs[0].folder} FILE" in report_html
    assert f"tfkit export {runs[0].folder} --format onnx" in report_html


def test_few_test_rows_are_named_as_imprecise(report_html, runs):
    rows = runs[0].provenance["rows"][2]
    assert rows < 200
    assert f"Only {rows} test rows: these scores are imprecise" in report_html


def test_one_epoch_has_values_but_no_curves(report_html, runs):
    one_epoch = runs[1].path("report.html").read_text(encoding="utf-8")
    assert "over 3 epochs" in report_html
    assert "Trained for 1 epoch on" in one_epoch
    assert "All epochs" in one_epoch
    assert "over 1 epochs" not in one_epoch
    assert "<h3>learning rate</h3>" not in one_epoch


@pytest.mark.parametrize(
    ("num_wrong", "shown", "sentence"),
    [
        (0, 0, "No errors in the 1,000 test rows."),
        (1, 1, "Errors in only 1 of the 1,000 test rows; all are shown."),
        (40, 6, "Errors in 40 of the 1,000 test rows; the 6 largest are shown."),
    ],
)
def test_worst_examples_say_how_many_rows_are_wrong(num_wrong, shown, sentence):
    record = SimpleNamespace(provenance={"rows": [8000, 1000, 1000]})
    assert _number_of_mistakes({"num_wrong": num_wrong}, shown, record) == sentence


def test_names_from_data_are_escaped(report_html):
    assert html.escape(POSITIVE).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in report_html
    for raw in (POSITIVE, "<b>x</b>", "a <i>"):
        assert raw not in report_html


def test_figures_have_descriptions_and_ids_are_unique(report_html):
    figures = re.findall(r"<svg[^>]*>", report_html)
    assert len(figures) >= 8
    assert all('role="img"' in figure and 'aria-label="' in figure for figure in figures)
    ids = re.findall(r'\bid="([^"]*)"', report_html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r"url\(#([^)]*)\)", report_html)) <= set(ids)


def test_heading_levels_are_nested(report_html):
    levels = [int(level) for level in re.findall(r"<h([1-6])", report_html)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))


def test_changed_settings_are_marked(report_html):
    assert "units (changed)" in report_html
    assert "seed (changed)" not in report_html


def test_header_has_the_test_score_and_the_best_baseline(report_html, runs):
    metrics = runs[0].metrics
    header = report_html[: report_html.index("<nav")]
    assert f"{metrics['test']['accuracy']:.4g}" in header
    assert f"{metrics['best_baseline']['baseline_score']:.4g}" in header
    assert metrics["verdict"] in html.unescape(header)


def test_selected_slices_are_reported_and_a_bad_slice_is_detected(runs):
    slices = runs[0].analysis["slices"]
    assert {entry["value"] for entry in slices["selected"]} == {"<b>x</b>", "y", "z"}
    assert [(entry["column"], entry["value"]) for entry in slices["worst"]] == [("word", "z")]


def test_unknown_slice_column_raises(tmp_path):
    table(30).to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(tfkit.UserError, match=r"must have the column 'wrod'. Did you mean 'word'?"):
        tfkit.train(
            "tabular", data=tmp_path / "t.csv", target="label", slice_columns=["wrod"], out=tmp_path, quiet=True
        )


def test_label_issues_have_the_row_numbers_of_the_file(runs):
    frame = pd.read_csv(runs[0].path("label_issues.csv"))
    original = table().iloc[frame["row"] - 1].reset_index(drop=True)
    assert (original["label"] == frame["label"]).all()
    assert original["word"].tolist() == frame["word"].tolist()
    assert (frame["label"] != frame["predicted"]).all()
    assert frame["probability_of_label"].is_monotonic_increasing


def test_report_is_rendered_from_the_run_folder_without_keras(runs):
    before = runs[0].path("report.html").read_bytes()
    code = (
        "import sys; from tfkit.cli.main import main; code = main(['report', sys.argv[1]]); "
        "print(code, [name for name in ('keras', 'tensorflow') if name in sys.modules])"
    )
    process = subprocess.run([sys.executable, "-c", code, runs[0].folder], capture_output=True, text=True, check=True)
    assert process.stdout.splitlines()[-1] == "0 []"
    assert runs[0].path("report.html").read_bytes() == before


@pytest.mark.slow
def test_higher_false_negative_cost_lowers_the_threshold(runs):
    def lowest_cost_threshold(cost):
        report_html = html.unescape(report(runs[0], false_negative_cost=cost).read_text(encoding="utf-8"))
        return float(re.search(r'scope="row">lowest cost</th><td[^>]*>([\d.]+)', report_html).group(1))

    try:
        assert lowest_cost_threshold(20) < lowest_cost_threshold(0.1)
        assert lowest_cost_threshold(None) == lowest_cost_threshold(0.1), "stored in the run"
    finally:
        report(runs[0], false_negative_cost=1)
    assert not runs[0].path("decision.json").exists()


def test_zero_cost_raises(runs):
    with pytest.raises(tfkit.UserError, match=r"must be above 0. Received: 0"):
        report(runs[0], false_negative_cost=0)


def test_report_of_an_unfinished_run_raises(runs, tmp_path):
    for name in ("config.json", "provenance.json", "metadata.json"):
        (tmp_path / name).write_bytes(runs[0].path(name).read_bytes())
    with pytest.raises(tfkit.UserError, match="must be finished"):
        report(tfkit.Run(tmp_path))


def test_run_without_analyses_has_a_report(runs, tmp_path):
    for path in runs[0].folder.glob("*.[cj]s*"):
        if path.name != "analysis.json":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    report_html = report(tfkit.Run(tmp_path)).read_text(encoding="utf-8")
    assert "trained without a report" in report_html
    assert "Feature importance" not in report_html


def failing(fitted):
    raise ValueError("failed on purpose")


@pytest.mark.slow
def test_failed_analysis_is_skipped_and_the_rest_is_reported(tmp_path, monkeypatch, caplog):
    table(200).to_csv(tmp_path / "t.csv", index=False)
    analyses = run_analyses._analyses()
    monkeypatch.setattr(run_analyses, "_analyses", lambda: analyses | {"columns": run_analyses._Spec(failing)})
    run = tfkit.train(
        "tabular",
        data=tmp_path / "t.csv",
        target="label",
        out=tmp_path,
        report=True,
        quiet=True,
        **FAST_SETTINGS | {"epochs": 1},
    )
    assert run.finished
    assert "columns" not in run.analysis
    report_html = html.unescape(run.path("report.html").read_text(encoding="utf-8"))
    assert "Slices" in report_html
    assert "The analysis 'columns' was skipped: ValueError: failed on purpose" in report_html
    monkeypatch.setattr("tfkit.analysis.run_analyses", failing)
    run_without_report = tfkit.train(
        "tabular",
        data=tmp_path / "t.csv",
        target="label",
        out=tmp_path,
        report=True,
        quiet=True,
        **FAST_SETTINGS | {"epochs": 1},
    )
    assert run_without_report.finished
    assert not run_without_report.path("report.html").exists()
    assert "The run is finished, but has no report: ValueError: failed on purpose" in caplog.text


SAMPLES = {
    "image": ({"epochs": 2}, ["Worst images", "Most frequent confusions"]),
    "text": ({"epochs": 1, "architecture": "none", "refit": False}, ["Worst texts"]),
    "series": ({"epochs": 2}, ["Worst series"]),
    "forecast": ({"epochs": 2}, ["Forecast", "Test forecasts", "Scores by horizon"]),
    "tabular": (
        {"epochs": 1, "architecture": "mlp", "data": str(tfkit.sample_path("diamonds.csv.gz")), "target": "price"},
        ["Predicted against true", "Error by decile", "Feature importance"],
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("recipe", SAMPLES)
def test_every_recipe_has_its_sections_and_no_skipped_analysis(recipe, tmp_path):
    settings, texts = SAMPLES[recipe]
    run = tfkit.train(recipe, out=tmp_path, report=True, quiet=True, **settings)
    report_html = run.path("report.html").read_text(encoding="utf-8")
    assert all(text in report_html for text in texts)
    assert run.analysis["skipped"] == {}
    assert EXTERNAL_URL.findall(report_html) == []
    assert len(report_html) < 2_000_000
    assert sum(run.analysis["seconds"].values()) < 20
    json.dumps(run.analysis, allow_nan=False)


def test_card_of_a_run_in_a_notebook(runs, tmp_path):
    card = runs[0]._repr_html_()
    score = runs[0].metrics["test"]["accuracy"]
    for text in (f"accuracy {score:.4f}".rstrip("0"), "<svg", "report.html", runs[0].metrics["verdict"][:20]):
        assert text in html.unescape(card)
    for name in ("config.json", "provenance.json"):
        (tmp_path / name).write_text("{}")
    assert "not finished" in tfkit.Run(tmp_path)._repr_html_()
