"""Compare the suggestion of the learning-rate finder with nine fixed learning rates.

    python tests/bench/learning_rates.py [--tasks adult-mlp,digits] [--seeds 3] [--steps 200] [--passes 3]   measure
    python tests/bench/learning_rates.py --read                                                             table

The data are the bundled samples and the digits of scikit-learn. A task is the model of a recipe (for the digits, a
small CNN) with default settings but few epochs; a training restores its best epoch. `score` is the primary metric of
the recipe (accuracy, root mean squared error, MASE) on validation rows, the line below it is the monitored loss. Both
compare the suggestion with the best of the nine rates, chosen by the mean over the seeds; a ratio above 1 means that
the suggestion is worse. The lines below show the results of other rules on the same curves, interpolated between the
losses of the nine rates. Each line of `learning_rates.jsonl`, in the folder of this file, is a curve or a training.
"""

import argparse
import json
import time
from pathlib import Path

import keras
import numpy as np

import tfkit
from tfkit.evaluation import scoring
from tfkit.tasks import primary_metric
from tfkit.training import evaluate

RESULTS = Path(__file__).with_name("learning_rates.jsonl")
RATES = [10 ** (-k / 2) for k in range(10, 1, -1)]  # 1e-5 to 1e-1
FINDER_ROWS = 50_000  # used by the finder
TABLES = {"adult": {}, "diamonds": {"data": tfkit.sample_path("diamonds.csv.gz"), "target": "price"}}


def recipe_task(name, epochs, **settings):
    """Prepare the task of a recipe.

    Returns:
        Training split, validation split, function from learning rate to model, batch size, epochs, augmentation,
        and function from model to validation score.
    """
    recipe = tfkit.load_recipe(name)
    config = recipe.Config.from_dict({"epochs": epochs, **settings})
    data = recipe.data(config)
    config = config.resolve_auto(data.auto_settings)

    def build_model(rate):
        return recipe.model(config.from_dict({**config.to_dict(), "learning_rate": rate}), data)

    def score(model):
        values = scoring.compute_metrics(*evaluate.predict_dataset(data.val, model, data), data.metadata)
        return values[primary_metric(data.metadata)[0]]

    return data.train, data.val, build_model, config.effective_batch_size(len(data.train)), epochs, data.augment, score


def digits(optimizer, epochs=5):
    """Prepare the task of a CNN for 8x8 digits; returns the same as `recipe_task`."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    permutation = np.random.default_rng(0).permutation(len(x))
    x, y, layers = (x.reshape(-1, 8, 8, 1) / 16).astype("float32")[permutation], y[permutation], keras.layers

    def build_model(rate):
        stack = [layers.Conv2D(filters, 3, padding="same", activation="relu") for filters in (16, 32)]
        stack += [layers.MaxPooling2D(), layers.Flatten(), layers.Dropout(0.2), layers.Dense(10)]
        model = keras.Sequential([keras.Input((8, 8, 1)), *stack])
        scheduled_optimizer = tfkit.make_optimizer(optimizer, learning_rate=rate, decay="cosine", steps=41 * epochs)
        model.compile(scheduled_optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        return model

    def score(model):
        return float(np.mean(np.argmax(model.predict(x[1300:], verbose=0), 1) == y[1300:]))

    return (
        tfkit.ArrayDataset(x[:1300], y[:1300]),
        tfkit.ArrayDataset(x[1300:], y[1300:]),
        build_model,
        32,
        epochs,
        None,
        score,
    )


TASKS = {
    "digits": lambda: digits("adam"),
    "digits-momentum": lambda: digits("momentum"),
    **{
        f"{name}-{architecture}": lambda settings=settings | {"architecture": architecture}: recipe_task(
            "tabular", 4, **settings
        )
        for architecture in ("mlp", "tabm")
        for name, settings in TABLES.items()
    },
    "image": lambda: recipe_task("image", 5),
    "text": lambda: recipe_task("text", 4),
    "text-network": lambda: recipe_task("text", 4, ngram_model="none"),
    "series": lambda: recipe_task("series", 8, architecture="cnn"),
    "forecast": lambda: recipe_task("forecast", 30),
    "forecast-lstm": lambda: recipe_task("forecast", 30, architecture="lstm"),
}


def measure(name, seeds, steps, passes):
    """Yield the loss curves, and trainings at the suggestion and the nine rates."""
    train, val, build_model, batch, epochs, augment, score = TASKS[name]()
    for seed in range(seeds):
        keras.utils.set_random_seed(seed)
        model, finder = build_model(1e-3), tfkit.callbacks.LearningRateFinder(steps=steps, passes=passes)
        x, y, sample_weight = train.take(np.arange(min(len(train), FINDER_ROWS)))
        start = time.perf_counter()
        model.fit(x, y, sample_weight=sample_weight, batch_size=batch, epochs=10_000, verbose=0, callbacks=[finder])
        losses = [
            [round(loss, 4) for loss in pass_losses[np.isfinite(pass_losses)].tolist()] for pass_losses in finder.losses
        ]
        yield {
            "task": name,
            "seed": seed,
            "suggestion": finder.suggestion,
            "steps": steps,
            "losses": losses,
            "seconds": round(time.perf_counter() - start, 1),
        }
        for rate in [finder.suggestion, *RATES]:
            keras.utils.clear_session()  # frees the memory of the previous models
            keras.utils.set_random_seed(seed)
            model, early_stopping = build_model(rate), tfkit.callbacks.EarlyStopping()
            tfkit.fit(
                model,
                train,
                batch_size=batch,
                epochs=epochs,
                validation_data=val,
                seed=seed,
                augment=augment,
                callbacks=[early_stopping],
            )
            yield {
                "task": name,
                "seed": seed,
                "rate": rate,
                "suggested": rate not in RATES,
                "val_loss": early_stopping.best,
                "score": score(model),
            }


def rules(steps, losses):
    """Return the suggestions of several rules for one smoothed loss curve."""
    finder = tfkit.callbacks.LearningRateFinder(steps=steps, passes=1)
    rates, means = finder.rates, finder.smoothed(np.array(losses))
    lowest = int(means.argmin())
    gradients = np.gradient(means[: lowest + 1])[10:]
    return {
        "a third of the lowest": rates[lowest] / 3,
        "a fifth of the lowest (the finder's)": rates[lowest] / 5,
        "a tenth of the lowest (fastai's minimum)": rates[lowest] / 10,
        "steepest": rates[10 + int(gradients.argmin())] if len(gradients) else rates[lowest],
        "valley (fastai's default)": rates[valley(means)],
    }


def valley(means):
    """Return the `valley` index of fastai.

    It is half of the longest decreasing subsequence of losses: a third, plus half of a third.
    """
    length, start = [1] * len(means), list(range(len(means)))
    for i, mean in enumerate(means):
        for j in range(i):
            if mean < means[j] and length[i] < length[j] + 1:
                length[i], start[i] = length[j] + 1, start[j]
    end = int(np.argmax(length))
    section = (end - start[end]) / 3
    return start[end] + int(section) + int(section / 2)


def show(lines):
    """Print the table: rows per task and per rule."""
    for name in dict.fromkeys(line["task"] for line in lines):
        task_lines = [line for line in lines if line["task"] == name]
        loss_by_rate = {rate: np.mean([x["val_loss"] for x in task_lines if x.get("rate") == rate]) for rate in RATES}
        best = min(loss_by_rate, key=loss_by_rate.get)
        suggestion_loss = np.mean([line["val_loss"] for line in task_lines if line.get("suggested")])
        curves = [line for line in task_lines if "losses" in line]
        suggestions_text = " ".join(f"{line['suggestion']:.1e}" for line in curves)
        if all("score" in line for line in task_lines if "rate" in line):
            print(f"{name:18} score {against_best(task_lines)}")
        print(
            f"{name:18} best {best:.0e} {loss_by_rate[best]:.4f}  "
            f"suggestion {suggestions_text}  {suggestion_loss:.4f}  "
            f"ratio {suggestion_loss / loss_by_rate[best]:.3f}  ({np.mean([c['seconds'] for c in curves]):.0f} s)"
        )
        print(
            "                  ",
            " ".join(f"{rate:.0e}:{loss / loss_by_rate[best]:.2f}" for rate, loss in loss_by_rate.items()),
        )
        suggestions = [rules(curve["steps"], losses) for curve in curves for losses in curve["losses"]]
        for rule in suggestions[0]:
            log_rates = np.log([suggestion[rule] for suggestion in suggestions])
            losses = np.interp(log_rates, np.log(RATES), list(loss_by_rate.values())) / loss_by_rate[best]
            print(
                f"    {rule:42} {np.exp(log_rates.mean()):.1e} x/ {np.exp(log_rates.std()):.1f}  "
                f"ratio {losses.mean():.2f}"
            )


def against_best(lines):
    """Format the score of the suggestion and of the best of the nine rates."""
    means = {rate: np.mean([x["score"] for x in lines if x.get("rate") == rate]) for rate in RATES}
    highest = max(means.values())
    higher_is_better = highest <= 1 and means[RATES[0]] < highest  # a proportion, not an error
    best = (max if higher_is_better else min)(means, key=means.get)
    suggestion_score = np.mean([line["score"] for line in lines if line.get("suggested")])
    ratio = means[best] / suggestion_score if higher_is_better else suggestion_score / means[best]
    return f"{suggestion_score:.4f}, best of the nine {means[best]:.4f} at {best:.0e}, ratio {ratio:.3f}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--read", action="store_true", help="only show the recorded results")
    args = parser.parse_args()
    if not args.read:
        for name in args.tasks.split(","):
            for line in measure(name, args.seeds, args.steps, args.passes):
                with RESULTS.open("a") as file:
                    file.write(json.dumps(line) + "\n")
    show([json.loads(line) for line in RESULTS.read_text().splitlines()])


if __name__ == "__main__":
    main()
