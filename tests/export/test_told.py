"""What inputs.json tells is enough to make the tensors of a raw row without Keras."""

import json

import numpy as np

STEPS = {
    "Concatenate": lambda told, given, *parts: np.concatenate(parts, axis=-1),
    "tfkit>Impute": lambda told, given, x: np.where(np.isfinite(x), x, np.float32(told["values"])),
    "tfkit>MissingIndicator": lambda told, given, x: (~np.isfinite(x[:, told["indices"]])).astype("float32"),
    "Rescaling": lambda told, given, x: x * np.float32(told["scale"]) + np.float32(told["offset"]),
    "Clip": lambda told, given, x: np.clip(x, told["x_min"], told["x_max"]),
    "tfkit>Clip": lambda told, given, x: x / np.sqrt(1 + (x / told["bound"]) ** 2),
    "StringLookup": lambda told, given, x: np.array([[_code(told, word) for word in row] for row in x]),
    "Cast": lambda told, given, x: x.astype(told["dtype"]),
    "Take": lambda told, given, x: np.take(x, given[1], axis=told["axis"]),
    "Activation": lambda told, given, x: x,
}


def _code(told, word):
    """0 for the mask token, 1 for what is not in the vocabulary, then its place."""
    vocabulary = [told["mask_token"], None, *told["vocabulary"]]
    return vocabulary.index(word) if word in vocabulary else 1


def test_a_program_without_keras_makes_the_same_tensors_and_gets_the_same_answers(run):
    import onnxruntime

    path, raw = run.export("onnx"), run.examples
    told = json.loads((run.folder / "inputs.json").read_text())
    done = dict(raw)
    for step in told["steps"]:
        given = [done[name] for name in step["of"]]
        done[step["name"]] = STEPS[step["layer"]](step["told"], step.get("called_with"), *given)
    tensors = {name: done[rule["step"]].astype(rule["dtype"]) for name, rule in told["tensors"].items()}
    session = onnxruntime.InferenceSession(str(path))
    np.testing.assert_allclose(session.run(None, tensors)[0][:, 0], run.answer(raw), rtol=1e-4, atol=1e-5)
    for i, example in enumerate(told["examples"]):
        for name, values in example["tensors"].items():
            np.testing.assert_allclose(tensors[name][i], values, rtol=1e-5, atol=1e-6)


def test_it_says_what_a_raw_row_and_an_answer_are(run):
    run.export("onnx")
    told = json.loads((run.folder / "inputs.json").read_text())
    assert {name: rule["column"] for name, rule in told["raw"].items()} == {"a_b": "a/b", "Age": "Age", "age_2": "age"}
    assert told["answers"] == {"task": "regression", "classes": None}
    says = {step["layer"]: step["does"] for step in told["steps"]}
    assert says["tfkit>Impute"] == "Put a told value wherever a number is missing (NaN) or infinite."
    assert says["Take"].startswith("Take elements from a tensor along an axis")
    missing = [example["raw"]["a_b"] for example in told["examples"]]
    assert json.dumps(missing)  # NaN is a word there: JSON has none
