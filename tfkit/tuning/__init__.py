"""Hyperparameter search: oracles of Keras Tuner, one process per trial."""
