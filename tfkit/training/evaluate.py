"""What the kept weights are worth: truth beside answer, scored in the user's units and kept with the run."""

import hashlib
import json
from typing import Any

import numpy as np

from tfkit.console import scores_table
from tfkit.datasets.batch_predict import compiled_predictor, index_chunks, predict, squeeze_outputs
from tfkit.datasets.npz import write_arrays
from tfkit.evaluation import bootstrap, comparison
from tfkit.evaluation import metrics as evaluation_metrics
from tfkit.recipe import Data, Recipe
from tfkit.run_dir import RunDir
from tfkit.tasks.predictions import predictions_to_frame

AVERAGED = ("_macro", "_weighted")  # scores that stand in metrics.json and are not printed

EXAMPLES = 64  # raw rows kept to check exports with


def predict_dataset(split: Any, model: Any, data: Data) -> tuple[np.ndarray, np.ndarray]:
    """Truth and answer of every row of a split."""
    return _truth(split, data.info), _answer(split, model, data)


def _answer(split: Any, model: Any, data: Data) -> np.ndarray:
    """What the file will say of the rows of a split."""
    compute = compiled_predictor(model, split.take(np.arange(1))[0])
    outputs = np.concatenate([compute(split.take(indices)[0]) for indices in index_chunks(split)])
    return squeeze_outputs(predict(data.restore, outputs) if data.restore is not None else outputs)


def _truth(split: Any, info: dict[str, Any]) -> np.ndarray:
    """The truth in the user's units."""
    if hasattr(split, "truth"):
        return split.truth()
    target, y = info["target"], np.concatenate([np.asarray(split.take(numbers)[1]) for numbers in index_chunks(split)])
    return y if target["classes"] else y.astype("float64") * target["scale"] + target["mean"]


def dataset_fingerprint(split: Any, info: dict[str, Any]) -> str:
    """What tells these rows from any others, whatever was made of them: so that two runs can say they have the same."""
    names = getattr(split, "names", getattr(split, "origins", None))
    if names is None:
        return hashlib.sha256(np.ascontiguousarray(_truth(split, info)).tobytes()).hexdigest()[:16]
    return hashlib.sha256("\n".join(map(str, names)).encode()).hexdigest()[:16]


def evaluate(recipe: Recipe, run: RunDir, config: Any, data: Data, said: dict[str, Any], say: Any) -> dict[str, Any]:
    """The scores of truth and answer on validation and test, with intervals, beside the baselines."""
    info = data.info
    metrics: dict[str, Any] = {"task": info["task"], "positive": info["target"]["positive"]}
    metrics |= {name: evaluation_metrics.compute_metrics(truth, answer, info) for name, (truth, answer) in said.items()}
    metrics |= {"test": metrics.get("test", {}), "intervals": {}, "classes": {}, "baselines": {}}
    _keep_examples(run, data)
    if "test" not in said:
        say(scores_table(metrics))
        return metrics
    truth, answer = said["test"]
    run.note(test_rows=dataset_fingerprint(data.test, info))
    metrics["intervals"] = bootstrap.bootstrap_intervals(truth, answer, info, seed=config.seed)
    metrics["classes"] = evaluation_metrics.per_class_metrics(truth, answer, info)
    answers = {b.__name__: b(data.train, data.test, info, seed=config.seed) for b in recipe.baselines}
    metrics["baselines"] = {name: evaluation_metrics.compute_metrics(truth, one, info) for name, one in answers.items()}
    _keep_predictions(run, data, truth, answer)
    say(scores_table({**metrics, "test": {n: v for n, v in metrics["test"].items() if not n.endswith(AVERAGED)}}))
    metrics["against"] = comparison.compare_to_best_baseline(truth, answer, answers, info)
    metrics["verdict"] = comparison.summarize_comparison(truth, answer, answers, info, known=metrics["against"])
    say(metrics["verdict"])
    return metrics


def _keep_predictions(run: RunDir, data: Data, truth: np.ndarray, answer: np.ndarray) -> None:
    """The answers to the test split beside the truth."""
    if hasattr(data.test, "stamps"):  # windows overlap: those that begin a horizon apart say all
        kept = data.test.apart()
        frame = data.test.stamps(kept).assign(truth=truth["values"][kept].ravel().astype("float32"))
        frame.join(predictions_to_frame(answer[kept], data.info)).to_csv(run.path("predictions.csv"), index=False)
        return
    frame = predictions_to_frame(answer, data.info)
    classes = data.info["target"]["classes"]
    frame.insert(0, "truth", np.array(classes, object)[truth] if classes else truth)
    frame.to_csv(run.path("predictions.csv"), index=False)


def _keep_examples(run: RunDir, data: Data) -> None:
    """A few raw rows of validation, to check exports with; words as JSON, so that no file of ours needs pickle."""
    raw = data.val.raw(np.arange(min(EXAMPLES, len(data.val))))
    words = {name: np.asarray(values) for name, values in raw.items()}
    write_arrays(
        run.path("examples.npz"),
        {
            name: np.frombuffer(json.dumps(values.tolist()).encode(), "uint8") if values.dtype.kind in "OUS" else values
            for name, values in words.items()
        },
    )
