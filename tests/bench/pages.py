"""Write what the benchmarks of the other pages have measured into the README: a table for each page.

    python tests/bench/pages.py

Reads `images.jsonl`, `text.jsonl`, `series.jsonl` and `forecast.jsonl` beside this file, the newest line of each set
and model. A row is a set, a column a model; the first model is what the page does where nothing is set. Seconds are
those of the whole process with the first model, on the clock.
"""

import json
from pathlib import Path

HERE = Path(__file__).parent
README = HERE.parents[1] / "README.md"
BEGIN, END = "<!-- pages: python tests/bench/pages.py -->", "<!-- end of pages -->"
NAMES = {"standardised_mean_squared_error": "MSE, standardised", "mase": "MASE", "f1": "F1 of the rarer"}
# For each page its file, the word for a model in it, the model it has where nothing is set, and what stands beside it.
PAGES = {
    "image": ("images.jsonl", "body", "residual", {"linear_pixels": "linear on pixels"}),
    "text": ("text.jsonl", "model", "convolution and n-grams", {"tfidf": "TF-IDF, linear"}),
    "series": (
        "series.jsonl",
        "model",
        "minirocket",
        {"nearest_series": "nearest series", "linear_series": "linear", "resnet": "ResNet, published"},
    ),
    "forecast": ("forecast.jsonl", "body", "linear", {"naive": "naive", "seasonal_naive": "seasonal naive"}),
}


def table(page):
    """The rows of one page in Markdown."""
    file, word, default, beside = PAGES[page]
    lines = [json.loads(line) for line in (HERE / file).read_text(encoding="utf-8").splitlines()]
    newest = {(line["set"], line[word]): line for line in lines}
    sets, models = (list(dict.fromkeys(key[i] for key in newest)) for i in (0, 1))
    models.sort(key=lambda model: model != default)
    head = [f"{page}: set", "score", *models, *beside.values(), "seconds"]
    rows = []
    for name in sets:
        found = [newest.get((name, model)) for model in models]
        line = next(filter(None, found))
        cells = [f"{one['score']:.4f}" if one else "" for one in found]
        cells += ["" if line.get(key) is None else f"{line[key]:.4f}" for key in beside]
        seconds = f"{found[0]['seconds']:.0f}" if found[0] else ""
        rows.append([f"`{name}`", NAMES.get(line["metric"], line["metric"]), *cells, seconds])
    if page == "series":
        rows.append(mean_of_archive(newest, models, beside))
    align = ["---", "---", *["---:"] * (len(head) - 2)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, align, *rows])


def mean_of_archive(newest, models, beside):
    """The mean over the sets of the UCR archive: those of which something is published."""
    sets = [name for name, model in newest if model == models[0] and newest[name, model].get("resnet") is not None]

    def mean(values):
        return f"{sum(values) / len(values):.4f}" if all(value is not None for value in values) else ""

    scores = [mean([newest.get((name, model), {}).get("score") for name in sets]) for model in models]
    others = [mean([newest[name, models[0]].get(key) for name in sets]) for key in beside]
    seconds = sum(newest[name, models[0]]["seconds"] for name in sets)
    return [f"mean of these {len(sets)}", "accuracy", *scores, *others, f"{seconds:.0f} in all"]


def written(text):
    """The README with the tables as they should be."""
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    return f"{before}{BEGIN}\n\n" + "\n\n".join(table(page) for page in PAGES) + f"\n\n{END}{after}"


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
