"""Search domains of settings."""

import pytest

from tfkit.errors import UserError
from tfkit.search_space import Choice, Range, domain, log_uniform


def test_a_list_is_a_choice():
    choice = domain([128, 256, 512])
    assert choice == Choice((128, 256, 512))
    assert choice.ends == (128, 256, 512)
    assert choice.contains(256)
    assert not choice.contains(300)
    assert choice.describe() == "128, 256 or 512"
    assert domain(["only"]).describe() == "only"


def test_a_tuple_is_a_range_of_integers_if_both_ends_are():
    integers, floats = domain((1, 4)), domain((0.0, 0.5))
    assert integers.integer
    assert not floats.integer
    assert integers.contains(4)
    assert not integers.contains(2.5)
    assert not integers.contains(True)
    assert floats.contains(0.25)
    assert not floats.contains(0.6)
    assert not floats.contains("0.25")
    assert integers.ends == (1, 4)


def test_log_is_a_log_scale_range():
    assert log_uniform(1e-4, 1e-2) == domain(log_uniform(1e-4, 1e-2)) == Range(1e-4, 1e-2, log=True)
    assert log_uniform(1e-4, 1e-2).describe() == "0.0001 to 0.01 (log scale)"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "A search domain must be a list of choices"),
        (3, "A search domain must be a list of choices"),
        ((1, 2, 3), "A search domain must be a list of choices"),
        (("a", "b"), "The ends of a range must be numbers"),
        ((True, 3), "The ends of a range must be numbers"),
        ((4, 1), "A range must go from low to high"),
        ((1, 1), "A range must go from low to high"),
    ],
)
def test_an_invalid_domain_raises(value, message):
    with pytest.raises(UserError, match=message):
        domain(value)


def test_a_log_scale_range_must_start_above_zero():
    with pytest.raises(UserError, match="A log-scale range must start above 0"):
        log_uniform(0, 1)
