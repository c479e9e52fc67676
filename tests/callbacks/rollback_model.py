"""A small model and simulated epochs for the tests of `RollbackOnNaN`."""

import keras
import numpy as np

NAN = float("nan")
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(53, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


def make_model(rate=0.1, wrap=lambda optimizer: optimizer):
    """A small compiled model with weights, moving statistics and random states."""
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(3, name="hidden"), keras.layers.BatchNormalization(name="norm")]
    layers += [keras.layers.Dropout(0.5), keras.layers.Dense(1, name="head")]
    model = keras.Sequential([keras.Input((4,)), *layers], name="net")
    model.compile(wrap(keras.optimizers.Adam(rate, name="adam")), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def restorable_values(model):
    """Values by path of all variables that training changes, except learning rate and random states."""
    variables = [*model.variables, *model.optimizer.variables]
    return {
        variable.path: variable.numpy()
        for variable in variables
        if not variable.path.endswith(("learning_rate", "generator_state"))
    }


def change_variables(model, change):
    """Simulate a training step: add `change` to every variable."""
    for variable in [*model.variables, *model.optimizer.variables]:
        if not variable.path.endswith("learning_rate"):
            variable.assign(variable + (change if "float" in variable.dtype else 1))


def begin_training(callback, model):
    callback.set_model(model)
    callback.set_params({})
    callback.on_train_begin()
    return callback


def run_epoch(callback, epoch, losses, *, epoch_loss=None):
    """Run an epoch with these running losses; a non-finite loss sets every variable to NaN."""
    callback.on_epoch_begin(epoch)
    for batch, loss in enumerate(losses):
        change_variables(callback.model, 1 if np.isfinite(loss) else NAN)
        callback.on_train_batch_end(batch, {"loss": loss})
    callback.on_epoch_end(epoch, {"loss": losses[-1] if epoch_loss is None else epoch_loss})


def random_states(model):
    return [variable.numpy() for variable in model.variables if "seed" in variable.path]
