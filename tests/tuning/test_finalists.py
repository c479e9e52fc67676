"""Selection of the finalists of a search."""

from types import SimpleNamespace

import pytest

from tfkit.tuning.finalists import select_finalists


def trial(number, kind="searched", reason=""):
    return SimpleNamespace(number=number, kind=kind, reason=reason)


@pytest.mark.parametrize(
    ("ranked", "expected_numbers"),
    [
        ([trial(4), trial(3), trial(2), trial(1, "default"), trial(5)], [4, 3, 1]),  # the best two of three better ones
        ([trial(4), trial(1, "default"), trial(3), trial(2)], [4, 1]),  # worse trials are not retrained
        ([trial(1, "default"), trial(3), trial(2)], [3, 1]),  # none is better: the best of the worse ones
        ([trial(3, reason="same settings as trial 1"), trial(1, "default"), trial(2)], [2, 1]),
        ([trial(3), trial(2), trial(4)], [3, 2]),  # the default failed
        ([trial(1, "default")], [1]),
    ],
)
def test_trials_better_than_the_default_are_finalists(ranked, expected_numbers):
    search = SimpleNamespace(objective_mode="min", study=SimpleNamespace(ranked_trials=lambda mode: ranked))
    assert [finalist.number for finalist in select_finalists(search, 2)] == expected_numbers
