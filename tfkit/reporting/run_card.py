"""The card of a run in a notebook: score, baselines, verdict and links."""

from html import escape

from tfkit.reporting.formatting import display_name, format_interval, format_number
from tfkit.reporting.run_results import RunResults
from tfkit.reporting.sections.overview import plot_primary_metric
from tfkit.run_dir import RunDir
from tfkit.tasks.primary_metric import primary_metric


def run_card(run: RunDir) -> str:
    """Return HTML for a notebook: the primary metric with interval, next to the baselines, and where the report is."""
    folder = escape(str(run.folder))
    if not run.finished:
        resume = escape(f"tfkit.train(resume={str(run.folder)!r})")
        return f"<p><b>Run {folder}</b>: not finished; <code>{resume}</code> continues it.</p>"
    results = RunResults.from_run(run)
    name, _ = primary_metric(results.metadata)
    scores = results.metrics.get("test") or results.metrics.get("val") or {}
    interval = format_interval(results.metrics.get("intervals", {}).get(name))
    score = f"{display_name(name)} {format_number(scores.get(name))}" + (f" ({interval})" if interval else "")
    title = f"{results.provenance.get('recipe') or 'run'}: {results.target}"
    figures = "".join(figure.svg for figure in plot_primary_metric(results))
    report = run.path("report.html")
    links = [f'<a href="{escape(report.as_posix())}">report.html</a>'] if report.is_file() else []
    links.append(f"<code>run.predict(rows)</code>, <code>run.export('onnx')</code>, folder <code>{folder}</code>")
    return (
        f"<div><p><b>{escape(title)}</b>, {escape(score)}</p>"
        f"<p>{escape(results.metrics.get('verdict', ''))}</p>{figures}<p>{' · '.join(links)}</p></div>"
    )
