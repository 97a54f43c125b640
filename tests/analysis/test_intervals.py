"""The union of intervals."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from baler_energy.analysis.intervals import merge

#: Whole numbers, so that membership of every point between them can be compared.
INTERVALS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 10)).map(lambda pair: (pair[0], sum(pair))))


@given(INTERVALS)
def test_the_union_has_the_same_points_and_gaps_between_its_parts(intervals):
    merged = merge(intervals)
    assert all(one[1] < other[0] for one, other in pairwise(merged))
    for point in (n + 0.5 for n in range(51)):
        assert any(a <= point <= b for a, b in merged) == any(a <= point <= b for a, b in intervals)


@given(INTERVALS, st.randoms())
def test_the_order_does_not_matter_and_merging_again_changes_nothing(intervals, random):
    shuffled = list(intervals)
    random.shuffle(shuffled)
    assert merge(shuffled) == merge(intervals) == merge(merge(intervals))
