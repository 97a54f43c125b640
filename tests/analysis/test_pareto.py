"""The Pareto front, compared with its definition."""

import math

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.analysis.pareto import on_front


def test_the_front_has_the_points_that_no_other_beats():
    points = pd.DataFrame({"error": [0.0, 0.1, 0.1, 0.2, 0.3], "ratio": [2.0, 5.0, 4.0, 5.0, 6.0]})
    points = points.sample(frac=1, random_state=0)
    found = on_front(points["error"], -points["ratio"])
    assert found.sort_index().tolist() == [True, True, False, False, True]


few = st.integers(-3, 3)


@given(st.lists(st.tuples(few, few), min_size=1, unique=True))
def test_a_point_is_on_the_front_unless_another_is_as_good_in_both(points):
    table = pd.DataFrame(points, columns=["first", "second"])
    beaten = [any(o != p and o[0] <= p[0] and o[1] <= p[1] for o in points) for p in points]
    assert on_front(table["first"], table["second"]).tolist() == [not one for one in beaten]


def test_of_equal_points_one_is_on_the_front():
    ones = pd.Series([1.0, 1.0])
    assert on_front(ones, ones).sum() == 1


def test_a_point_without_a_value_neither_is_on_the_front_nor_beats_another():
    first, second = pd.Series([math.nan, 1.0, 2.0]), pd.Series([0.0, math.nan, 5.0])
    assert on_front(first, second).tolist() == [False, False, True]


def test_without_points_the_front_is_empty():
    none = pd.Series([], dtype="float64")
    assert on_front(none, none).empty
