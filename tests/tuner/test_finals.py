"""Which trials are trained again before one of them wins."""

from types import SimpleNamespace

import pytest

from tfkit.tuner.finals import entrants


def trial(number, kind="searched", reason=""):
    return SimpleNamespace(number=number, kind=kind, reason=reason)


@pytest.mark.parametrize(
    ("best", "numbers"),
    [
        ([trial(4), trial(3), trial(2), trial(1, "written"), trial(5)], [4, 3, 1]),  # the best two of three ahead
        ([trial(4), trial(1, "written"), trial(3), trial(2)], [4, 1]),  # what is behind stays there
        ([trial(1, "written"), trial(3), trial(2)], [3, 1]),  # none is ahead: a second chance for the best
        ([trial(3, reason="the same as trial 1"), trial(1, "written"), trial(2)], [2, 1]),
        ([trial(3), trial(2), trial(4)], [3, 2]),  # the recipe as written failed
        ([trial(1, "written")], [1]),
    ],
)
def test_those_ahead_of_the_recipe_as_written_have_another_chance(best, numbers):
    search = SimpleNamespace(better="min", ledger=SimpleNamespace(best=lambda mode: best))
    assert [one.number for one in entrants(search, 2)] == numbers
