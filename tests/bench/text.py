"""Score `recipes/text.py` on open sets, each training a process of its own.

    python tests/bench/text.py [DATA] [--sets sms_spam,banking77] [--seeds 1]

DATA holds `sms_spam/SMSSpamCollection` and `banking77/train.csv`, `test.csv`. Defaults only: nothing is set but the
tables, the encoder, whether there are n-grams, and the seed. `sms_spam` has no split of its own: a fifth of the
messages is the test, stratified, messages of one text together; `banking77` has one. Each line of `text.jsonl`, beside
this file, is one training: the score, that of TF-IDF on the same rows, seconds and peak memory of the whole process.
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

LINES = Path(__file__).with_name("text.jsonl")
SAMPLE = Path(__file__).parents[2] / "data" / "reviews_zh.csv.gz"
MODELS = {
    "convolution and n-grams": [],
    "lstm and n-grams": ["encoder=lstm"],
    "transformer and n-grams": ["encoder=transformer"],
    "n-grams": ["encoder=none"],
    "n-grams trained": ["encoder=none", "ngrams=trained"],
    "n-grams solved": ["encoder=none", "ngrams=solved"],
    "convolution": ["ngrams=none"],
    "lstm": ["encoder=lstm", "ngrams=none"],
    "transformer": ["encoder=transformer", "ngrams=none"],
}
SCORES = {"sms_spam": "f1", "banking77": "accuracy", "reviews_zh": "accuracy"}


def settings(name, data, folder):
    """The tables of a set, as words."""
    if name == "reviews_zh":
        return [f"table={SAMPLE}"]
    if name == "banking77":
        return [f"table={data / name / 'train.csv'}", f"test_table={data / name / 'test.csv'}", "target=category"]
    with (data / name / "SMSSpamCollection").open(encoding="utf-8") as source:
        rows = [line.rstrip("\n").split("\t", 1) for line in source]
    with (folder / "sms.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("label", "text"), *rows])
    return [f"table={folder / 'sms.csv'}", "target=label", "test_fraction=0.2"]


def measure(name, model, seed, data):
    """Train on one set in a new process and say what came of it."""
    with tempfile.TemporaryDirectory() as out:
        words = [*settings(name, data, Path(out)), *MODELS[model], f"seed={seed}"]
        command = [sys.executable, "-m", "tfkit", "train", "text", *words, "--out", out, "--quiet"]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        run = process.stdout.read().strip()
        _, status, used = os.wait4(process.pid, 0)
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
        "processor_seconds": round(used.ru_utime + used.ru_stime),
        "parts": metrics["seconds"],
        "peak_mb": used.ru_maxrss // 1024,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", default=Path("../shared/data"))
    parser.add_argument("--sets", default=",".join(SCORES))
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--seeds", type=int, default=1)
    known = parser.parse_args()
    for name in known.sets.split(","):
        for model in known.models.split(","):
            for seed in range(known.seeds):
                line = json.dumps(measure(name, model, seed, known.data))
                print(line, flush=True)
                with LINES.open("a") as file:
                    file.write(line + "\n")


if __name__ == "__main__":
    main()
