"""Train twenty healthy runs and save their results; no diagnosis may apply (tests/reporting/test_diagnostics.py).

    python tests/bench/healthy.py            # about ten minutes on two cores; writes tests/reporting/healthy.json
    python tests/bench/healthy.py 3 7        # only runs 3 to 6, added to the existing ones

A run is healthy if it uses a recipe with default or sensible settings and no baseline is significantly better (in that
case a diagnosis is not a false alarm). The seeds differ.
"""

import json
import sys
import tempfile
from pathlib import Path

import tfkit
from tfkit.reporting.run_results import RunResults

FILE = Path(__file__).resolve().parents[1] / "reporting" / "healthy.json"
DIAMONDS = {"data": str(tfkit.sample_path("diamonds.csv.gz")), "target": "price"}
RUNS = [
    *(("tabular", {"seed": seed}) for seed in range(4)),
    *(("tabular", {"seed": seed, "dropout": 0.2, "target": "gender"}) for seed in range(2)),
    *(("tabular", {"seed": seed, "architecture": "mlp"}) for seed in range(1)),
    *(("tabular", {"seed": seed, **DIAMONDS}) for seed in range(3)),
    *(("tabular", {"seed": seed, **DIAMONDS, "target": "cut"}) for seed in range(2)),
    *(("forecast", {"seed": seed}) for seed in range(2)),
    *(("forecast", {"seed": seed, "architecture": "lstm"}) for seed in range(1)),
    *(("series", {"seed": seed}) for seed in range(1)),
    *(("image", {"seed": seed}) for seed in range(3)),
    ("text", {"refit": False, "architecture": "none"}),
]


def diagnostic_inputs(results):
    """Return the results of a run that the diagnostics read."""
    target = results.metadata.target
    metrics = {name: results.metrics.get(name) for name in ("test", "baselines", "best_baseline", "classes")}
    provenance = {name: results.provenance.get(name) for name in ("recipe", "best_epoch", "rows")}
    history = [{name: float(f"{value:.6g}") for name, value in line.items()} for line in results.history]
    config = {name: Path(value).name if "/" in str(value) else value for name, value in results.config.items()}
    return {
        "metadata": {"target": target.model_dump(include={"name", "task", "classes", "positive_class", "counts"})},
        "config": config,
        "provenance": provenance,
        "metrics": metrics,
        "history": history,
        "analysis": {"learning": results.analysis.get("learning")},
    }


def main():
    start, stop = (int(index) for index in sys.argv[1:3]) if len(sys.argv) > 2 else (0, len(RUNS))
    results = json.loads(FILE.read_text()) if FILE.exists() and len(sys.argv) > 2 else {}
    for recipe, settings in RUNS[start:stop]:
        name = " ".join([recipe, *(f"{key}={value}" for key, value in settings.items() if key != "data")])
        with tempfile.TemporaryDirectory() as out:
            run = tfkit.train(recipe, out=out, quiet=True, **settings)
            results[name] = diagnostic_inputs(RunResults.from_run(run))
        results = dict(sorted(results.items()))
        FILE.write_text(json.dumps(results, indent=None, separators=(",", ":"), ensure_ascii=False) + "\n")
        print(name, flush=True)


if __name__ == "__main__":
    main()
