"""Rows that lie in files without a name."""

import numpy as np

from tfkit.data import stored


def test_rows_of_two_files_are_joined_in_one():
    one, two = (stored.lying((3,), [("a", "int16", (2,))]) for _ in range(2))
    one["a"], two["a"] = np.arange(6).reshape(3, 2), np.arange(6, 12).reshape(3, 2)
    parts = [
        stored.Stored(array, np.array(places), np.zeros(len(places)), raw=lambda rows, n=name: {"t": n + rows})
        for array, places, name in ((one, [2, 0], 10), (two, [1], 20))
    ]
    both = parts[0].joined(parts[1])
    assert np.asarray(both.take(np.array([2, 0]))[0]["a"]).tolist() == [[8, 9], [4, 5]]
    assert both.raw(np.array([2, 0, 1]))["t"].tolist() == [21, 12, 10]
