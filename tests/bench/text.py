"""Score `recipes/text.py` on public data sets; each training runs in its own process.

    python tests/bench/text.py [DATA] [--sets sms_spam,banking77] [--seeds 1]

DATA holds `sms_spam/SMSSpamCollection` and `banking77/train.csv`, `test.csv`. All settings are defaults except
the tables, the encoder, the n-gram model and the seed. `sms_spam` has no official split: the test set is a stratified
20% of the messages, with equal messages in the same split; `banking77` has one. Each line of `text.jsonl`, in the
folder of this file, is one training: the score, the score of TF-IDF on the same rows, seconds and peak memory of the
process.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESULTS = Path(__file__).with_name("text.jsonl")
SAMPLE = Path(__file__).parents[2] / "data" / "reviews_zh.csv.gz"
MODELS = {
    "convolution and n-grams": [],
    "lstm and n-grams": ["architecture=lstm"],
    "transformer and n-grams": ["architecture=transformer"],
    "n-grams": ["architecture=none"],
    "n-grams trained": ["architecture=none", "ngram_model=embedding"],
    "n-grams solved": ["architecture=none", "ngram_model=logistic_regression"],
    "convolution": ["ngram_model=none"],
    "lstm": ["architecture=lstm", "ngram_model=none"],
    "transformer": ["architecture=transformer", "ngram_model=none"],
}
SCORES = {"sms_spam": "f1", "banking77": "accuracy", "reviews_zh": "accuracy"}


def table_settings(name, data, folder):
    """Return the settings of a data set, as command-line arguments."""
    if name == "reviews_zh":
        return [f"data={SAMPLE}"]
    if name == "banking77":
        return [f"data={data / name / 'train.csv'}", f"test_data={data / name / 'test.csv'}", "target=category"]
    with (data / name / "SMSSpamCollection").open(encoding="utf-8") as input_file:
        rows = [line.rstrip("\n").split("\t", 1) for line in input_file]
    with (folder / "sms.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("label", "text"), *rows])
    return [f"data={folder / 'sms.csv'}", "target=label", "test_fraction=0.2"]


def measure(name, model, seed, data):
    """Train on one data set in a new process; return scores, time and memory."""
    with tempfile.TemporaryDirectory() as out:
        settings = [*table_settings(name, data, Path(out)), *MODELS[model], f"seed={seed}"]
        command = [sys.executable, "-m", "tfkit", "train", "text", *settings, "--out", out, "--quiet"]
        start = time.perf_counter()
        training_process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        run = training_process.stdout.read().strip()
        _, status, usage = os.wait4(training_process.pid, 0)
        seconds = time.perf_counter() - start
        if status:
            raise SystemExit(f"{' '.join(command)} ended with {status}")
        metrics = json.loads((Path(run) / "metrics.json").read_text())
    score = SCORES[name]
    return {
        "set": name,
        "model": model,
        "seed": seed,
        "metric": score,
        "score": round(metrics["test"][score], 4),
        "tfidf": round(metrics["baselines"]["tfidf"][score], 4),
        "log_loss": round(metrics["test"]["log_loss"], 4),
        "seconds": round(seconds),
        "processor_seconds": round(usage.ru_utime + usage.ru_stime),
        "parts": metrics["seconds"],
        "peak_mb": usage.ru_maxrss // 1024,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"))
    parser.add_argument("--sets", default=",".join(SCORES))
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--seeds", type=int, default=1)
    args = parser.parse_args()
    for name in args.sets.split(","):
        for model in args.models.split(","):
            for seed in range(args.seeds):
                line = json.dumps(measure(name, model, seed, args.data))
                print(line, flush=True)
                with RESULTS.open("a") as file:
                    file.write(line + "\n")


if __name__ == "__main__":
    main()
