"""Write the benchmark results of the other recipes into docs/benchmarks.md, one table per recipe.

    python tests/bench/recipe_scores.py

Reads `images.jsonl`, `text.jsonl`, `series.jsonl` and `forecast.jsonl` in the folder of this file and uses the newest
line of each data set and model. Rows are data sets, columns are models; the first model is the default of the recipe.
Seconds are the wall-clock time of the process with the first model.
"""

import json
from pathlib import Path

FOLDER = Path(__file__).parent
DOCUMENT = FOLDER.parents[1] / "docs" / "benchmarks.md"
BEGIN, END = "<!-- recipe scores: python tests/bench/recipe_scores.py -->", "<!-- end of recipe scores -->"
METRIC_TITLES = {"standardized_mean_squared_error": "MSE, standardized", "mase": "MASE", "f1": "F1, rarer class"}
# recipe -> results file, key of the model in it, default model, baselines and their column titles
RECIPES = {
    "image": ("images.jsonl", "architecture", "resnet", {"linear_pixels": "linear on pixels"}),
    "text": ("text.jsonl", "model", "CNN and n-grams", {"tfidf": "TF-IDF, linear"}),
    "series": (
        "series.jsonl",
        "model",
        "minirocket",
        {"nearest_neighbor": "nearest neighbor", "linear_series": "linear", "resnet": "ResNet, published"},
    ),
    "forecast": ("forecast.jsonl", "architecture", "linear", {"naive": "naive", "seasonal_naive": "seasonal naive"}),
}


def table(recipe):
    """Return the results of one recipe as a Markdown table."""
    file, model_key, default, baselines = RECIPES[recipe]
    lines = [json.loads(line) for line in (FOLDER / file).read_text(encoding="utf-8").splitlines()]
    newest = {(line["set"], line[model_key]): line for line in lines}
    sets, models = (list(dict.fromkeys(key[i] for key in newest)) for i in (0, 1))
    models.sort(key=lambda model: model != default)
    head = [f"{recipe}: set", "score", *models, *baselines.values(), "seconds"]
    rows = []
    for name in sets:
        records = [newest.get((name, model)) for model in models]
        line = next(filter(None, records))
        cells = [f"{record['score']:.4f}" if record else "" for record in records]
        cells += ["" if line.get(key) is None else f"{line[key]:.4f}" for key in baselines]
        seconds = f"{records[0]['seconds']:.0f}" if records[0] else ""
        rows.append([f"`{name}`", METRIC_TITLES.get(line["metric"], line["metric"]), *cells, seconds])
    if recipe == "series":
        rows.append(mean_of_archive(newest, models, baselines))
    align = ["---", "---", *["---:"] * (len(head) - 2)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, align, *rows])


def mean_of_archive(newest, models, baselines):
    """Return the row of means over the UCR data sets with a published result."""
    sets = [name for name, model in newest if model == models[0] and newest[name, model].get("resnet") is not None]

    def mean(values):
        return f"{sum(values) / len(values):.4f}" if all(value is not None for value in values) else ""

    scores = [mean([newest.get((name, model), {}).get("score") for name in sets]) for model in models]
    baseline_means = [mean([newest[name, models[0]].get(key) for name in sets]) for key in baselines]
    seconds = sum(newest[name, models[0]]["seconds"] for name in sets)
    return [f"mean of these {len(sets)}", "accuracy", *scores, *baseline_means, f"{seconds:.0f} in all"]


def update_tables(text):
    """Return docs/benchmarks.md text with the current results tables."""
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    return f"{before}{BEGIN}\n\n" + "\n\n".join(table(recipe) for recipe in RECIPES) + f"\n\n{END}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(update_tables(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
