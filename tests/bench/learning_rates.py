"""Compare what the learning-rate finder suggests with nine fixed rates, on the samples and on scikit-learn's digits.

    python tests/bench/learning_rates.py [--tasks adult-mlp,digits] [--seeds 3] [--steps 200] [--passes 3]   measure
    python tests/bench/learning_rates.py --read                                                             the table

A task is a page's own model (or, for the digits, a small CNN) with all its defaults but few epochs; a training ends
with its best epoch, as a page's does. `score` is what the page is judged by (accuracy, root mean squared error, MASE)
on validation, the line below it is of the loss that it monitors: of each the suggestion against the best of the nine
rates (by the mean over the seeds, so that luck does not choose), both as means over the seeds, as a ratio above 1 where
the suggestion is worse. Below are what other rules would have made of the same curves, by interpolation between the
losses of the nine. Each line of `learning_rates.jsonl`, beside this file, is a curve or a training.
"""

import argparse
import json
import time
from pathlib import Path

import keras
import numpy as np

import tfkit
from tfkit.evaluation import comparison, metrics
from tfkit.training import evaluate

LINES = Path(__file__).with_name("learning_rates.jsonl")
RATES = [10 ** (-k / 2) for k in range(10, 1, -1)]  # 1e-5 to 1e-1
ROWS = 50_000  # that the finder sees
SAMPLES = {"adult": {}, "diamonds": {"table": tfkit.sample("diamonds.csv.gz"), "target": "price"}}


def page(name, epochs, **settings):
    """Splits, the maker of a model at a learning rate, the batch, the epochs and the augmentation of a page."""
    recipe = tfkit.load(name)
    config = recipe.Config.of({"epochs": epochs, **settings})
    data = recipe.data(config)
    config = config.settled(data.defaults)

    def make(rate):
        return recipe.model(config.of({**config.words(), "learning_rate": rate}), data)

    def score(model):
        found = metrics.score(*evaluate.said(data.val, model, data), data.info)
        return found[comparison.headline(data.info["task"])[0]]

    return data.train, data.val, make, config.batch(len(data.train)), epochs, data.augment, score


def digits(optimizer, epochs=5):
    """The same of a CNN for 8x8 digits."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(x))
    x, y, layers = (x.reshape(-1, 8, 8, 1) / 16).astype("float32")[order], y[order], keras.layers

    def make(rate):
        stack = [layers.Conv2D(filters, 3, padding="same", activation="relu") for filters in (16, 32)]
        stack += [layers.MaxPooling2D(), layers.Flatten(), layers.Dropout(0.2), layers.Dense(10)]
        model = keras.Sequential([keras.Input((8, 8, 1)), *stack])
        falling = tfkit.optimizer(optimizer, learning_rate=rate, decay="cosine", steps=41 * epochs)
        model.compile(falling, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    def score(model):
        return float(np.mean(np.argmax(model.predict(x[1300:], verbose=0), 1) == y[1300:]))

    return tfkit.Rows(x[:1300], y[:1300]), tfkit.Rows(x[1300:], y[1300:]), make, 32, epochs, None, score


TASKS = {
    "digits": lambda: digits("adam"),
    "digits-momentum": lambda: digits("momentum"),
    **{
        f"{name}-{body}": lambda body=body, more=more: page("tabular", 4, body=body, **more)
        for body in ("mlp", "ensemble")
        for name, more in SAMPLES.items()
    },
    "image": lambda: page("image", 5),
    "text": lambda: page("text", 4),
    "text-network": lambda: page("text", 4, ngrams="none"),
    "series": lambda: page("series", 8, body="convolution"),
    "forecast": lambda: page("forecast", 30),
    "forecast-lstm": lambda: page("forecast", 30, body="lstm"),
}


def measure(name, seeds, steps, passes):
    """Curves, and trainings at the nine rates and at the suggestion."""
    train, val, make, batch, epochs, augment, score = TASKS[name]()
    for seed in range(seeds):
        keras.utils.set_random_seed(seed)
        model, finder = make(1e-3), tfkit.callbacks.LearningRateFinder(steps=steps, passes=passes)
        x, y, weight = train.take(np.arange(min(len(train), ROWS)))
        start = time.perf_counter()
        model.fit(x, y, sample_weight=weight, batch_size=batch, epochs=10_000, verbose=0, callbacks=[finder])
        losses = [[round(loss, 4) for loss in one[np.isfinite(one)].tolist()] for one in finder.losses]
        yield {
            "task": name,
            "seed": seed,
            "suggestion": finder.suggestion,
            "steps": steps,
            "losses": losses,
            "seconds": round(time.perf_counter() - start, 1),
        }
        for rate in [finder.suggestion, *RATES]:
            keras.utils.clear_session()  # or the models before stay in memory
            keras.utils.set_random_seed(seed)
            model, best = make(rate), tfkit.callbacks.EarlyStopping()
            tfkit.fit(
                model,
                train,
                batch_size=batch,
                epochs=epochs,
                validation_data=val,
                seed=seed,
                augment=augment,
                callbacks=[best],
            )
            yield {
                "task": name,
                "seed": seed,
                "rate": rate,
                "found": rate not in RATES,
                "val_loss": best.best,
                "score": score(model),
            }


def rules(steps, losses):
    """What rules would suggest, each of one pass, by a mean over a third of a decade."""
    finder = tfkit.callbacks.LearningRateFinder(steps=steps, passes=1)
    rates, means = finder.rates, finder.smoothed(np.array(losses))
    lowest = int(means.argmin())
    slopes = np.gradient(means[: lowest + 1])[10:]
    return {
        "a third of the lowest": rates[lowest] / 3,
        "a fifth of the lowest (the finder's)": rates[lowest] / 5,
        "a tenth of the lowest (fastai's minimum)": rates[lowest] / 10,
        "steepest": rates[10 + int(slopes.argmin())] if len(slopes) else rates[lowest],
        "valley (fastai's default)": rates[valley(means)],
    }


def valley(means):
    """A third into the longest falling sequence of losses, and half of that again, as fastai has it."""
    length, start = [1] * len(means), list(range(len(means)))
    for i, mean in enumerate(means):
        for j in range(i):
            if mean < means[j] and length[i] < length[j] + 1:
                length[i], start[i] = length[j] + 1, start[j]
    end = int(np.argmax(length))
    section = (end - start[end]) / 3
    return start[end] + int(section) + int(section / 2)


def show(lines):
    """The table: a row a task, and a row a rule."""
    for name in dict.fromkeys(line["task"] for line in lines):
        mine = [line for line in lines if line["task"] == name]
        fixed = {rate: np.mean([x["val_loss"] for x in mine if x.get("rate") == rate]) for rate in RATES}
        best = min(fixed, key=fixed.get)
        found = np.mean([line["val_loss"] for line in mine if line.get("found")])
        curves = [line for line in mine if "losses" in line]
        said = " ".join(f"{line['suggestion']:.1e}" for line in curves)
        if all("score" in line for line in mine if "rate" in line):
            print(f"{name:18} score {against_best(mine)}")
        print(
            f"{name:18} best {best:.0e} {fixed[best]:.4f}  suggestion {said}  {found:.4f}  "
            f"ratio {found / fixed[best]:.3f}  ({np.mean([c['seconds'] for c in curves]):.0f} s)"
        )
        print("                  ", " ".join(f"{rate:.0e}:{loss / fixed[best]:.2f}" for rate, loss in fixed.items()))
        said = [rules(curve["steps"], losses) for curve in curves for losses in curve["losses"]]
        for rule in said[0]:
            tried = np.log([one[rule] for one in said])
            losses = np.interp(tried, np.log(RATES), list(fixed.values())) / fixed[best]
            print(f"    {rule:42} {np.exp(tried.mean()):.1e} x/ {np.exp(tried.std()):.1f}  ratio {losses.mean():.2f}")


def against_best(lines):
    """The score of the suggestion beside that of the best of the nine, in words."""
    means = {rate: np.mean([x["score"] for x in lines if x.get("rate") == rate]) for rate in RATES}
    up = max(means.values()) <= 1 and means[RATES[0]] < max(means.values())  # a share: more is better
    best = (max if up else min)(means, key=means.get)
    found = np.mean([line["score"] for line in lines if line.get("found")])
    ratio = means[best] / found if up else found / means[best]
    return f"{found:.4f}, best of the nine {means[best]:.4f} at {best:.0e}, ratio {ratio:.3f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--read", action="store_true", help="show what was measured before")
    known = parser.parse_args()
    if not known.read:
        for name in known.tasks.split(","):
            for line in measure(name, known.seeds, known.steps, known.passes):
                with LINES.open("a") as file:
                    file.write(json.dumps(line) + "\n")
    show([json.loads(line) for line in LINES.read_text().splitlines()])


if __name__ == "__main__":
    main()
