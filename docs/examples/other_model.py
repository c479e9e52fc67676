"""A recipe with one part replaced.

Data, augmentation, evaluation and report of the recipe `image`, with a model of our own.
"""

import keras

import tfkit


def small_cnn(config, data):
    """Two convolutions and a dense layer."""
    inputs = tfkit.keras_inputs(data.train)
    x = keras.layers.Rescaling(1 / 255)(inputs)
    for filters in (32, 64):
        x = keras.layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dropout(config.dropout)(x)
    outputs = keras.layers.Dense(tfkit.tasks.num_outputs(data.metadata), dtype="float32")(x)
    model = keras.Model(inputs, outputs, name="small_cnn")
    loss = tfkit.tasks.make_loss(config.loss, data.metadata)
    model.compile(tfkit.make_optimizer(**config.optimizer_settings, steps=data.steps(config)), loss)
    return model


recipe = tfkit.load_recipe("image").replace(model=small_cnn)
run = tfkit.train(recipe, refit=False, quiet=True, report=False)
print("accuracy:", round(run.metrics["test"]["accuracy"], 3))
print("baselines:", {name: round(scores["accuracy"], 3) for name, scores in run.metrics["baselines"].items()})
