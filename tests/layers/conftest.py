import keras
import pytest


@pytest.fixture(autouse=True)
def seeded():
    """Seed Keras, so that weights are equal in every run."""
    keras.utils.set_random_seed(0)
