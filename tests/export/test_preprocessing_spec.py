"""`inputs.json` is sufficient to compute the input tensors of a raw row without Keras."""

import inspect
import json

import numpy as np

import tfkit.layers

STEPS = {
    "Concatenate": lambda params, arguments, *arrays: np.concatenate(arrays, axis=-1),
    "tfkit>Imputer": lambda params, arguments, x: np.where(np.isfinite(x), x, np.float32(params["values"])),
    "tfkit>MissingIndicator": lambda params, arguments, x: (~np.isfinite(x[:, params["indices"]])).astype("float32"),
    "Rescaling": lambda params, arguments, x: x * np.float32(params["scale"]) + np.float32(params["offset"]),
    "Clip": lambda params, arguments, x: np.clip(x, params["x_min"], params["x_max"]),
    "tfkit>SmoothClip": lambda params, arguments, x: x / np.sqrt(1 + (x / params["bound"]) ** 2),
    "StringLookup": lambda params, arguments, x: np.array([[_index(params, value) for value in row] for row in x]),
    "Cast": lambda params, arguments, x: x.astype(params["dtype"]),
    "Take": lambda params, arguments, x: np.take(x, arguments[1], axis=params["axis"]),
    "Activation": lambda params, arguments, x: x,
}


def _index(params, value):
    """0 for the mask token, 1 for out-of-vocabulary values, otherwise the index in the vocabulary plus 2."""
    vocabulary = [params["mask_token"], None, *params["vocabulary"]]
    return vocabulary.index(value) if value in vocabulary else 1


def test_preprocessing_without_keras_gives_the_same_tensors_and_predictions(run):
    import onnxruntime

    path, raw = run.export("onnx"), run.sample_inputs
    spec = json.loads((run.folder / "inputs.json").read_text())
    outputs = dict(raw)
    for step in spec["steps"]:
        arrays = [outputs[name] for name in step["inputs"]]
        outputs[step["name"]] = STEPS[step["layer"]](step["parameters"], step.get("arguments"), *arrays)
    tensors = {name: outputs[tensor["step"]].astype(tensor["dtype"]) for name, tensor in spec["tensors"].items()}
    session = onnxruntime.InferenceSession(str(path))
    np.testing.assert_allclose(session.run(None, tensors)[0][:, 0], run.predict_arrays(raw), rtol=1e-4, atol=1e-5)
    for i, example in enumerate(spec["examples"]):
        for name, values in example["tensors"].items():
            np.testing.assert_allclose(tensors[name][i], values, rtol=1e-5, atol=1e-6)


def test_inputs_outputs_and_steps_are_described(run):
    run.export("onnx")
    spec = json.loads((run.folder / "inputs.json").read_text())
    assert {name: column["column"] for name, column in spec["raw"].items()} == {
        "a_b": "a/b",
        "Age": "Age",
        "age_2": "age",
    }
    assert spec["outputs"] == {"task": "regression", "classes": None}
    summaries = {step["layer"]: step["description"] for step in spec["steps"]}
    assert summaries["tfkit>Imputer"] == inspect.getdoc(tfkit.layers.Imputer).splitlines()[0] != ""
    assert summaries["Take"].startswith("Take elements from a tensor along an axis")
    missing = [example["raw"]["a_b"] for example in spec["examples"]]
    assert json.dumps(missing)  # NaN is a string, because JSON has no NaN
