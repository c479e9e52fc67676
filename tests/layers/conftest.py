import keras
import pytest


@pytest.fixture(autouse=True)
def seeded():
    """Weights begin alike in every run of the tests."""
    keras.utils.set_random_seed(0)
