"""Memory-mapped datasets."""

import numpy as np

from tfkit.datasets import memmap


def test_datasets_of_two_files_are_concatenated():
    first, second = (memmap.allocate_memmap((3,), [("a", "int16", (2,))]) for _ in range(2))
    first["a"], second["a"] = np.arange(6).reshape(3, 2), np.arange(6, 12).reshape(3, 2)
    datasets = [
        memmap.MemmapDataset(
            array, np.array(indices), np.zeros(len(indices)), raw=lambda rows, n=offset: {"t": n + rows}
        )
        for array, indices, offset in ((first, [2, 0], 10), (second, [1], 20))
    ]
    concatenated = datasets[0].concatenate(datasets[1])
    assert np.asarray(concatenated.take(np.array([2, 0]))[0]["a"]).tolist() == [[8, 9], [4, 5]]
    assert concatenated.raw_inputs(np.array([2, 0, 1]))["t"].tolist() == [21, 12, 10]
