"""The call tree: from stacks, which contain it, and from pairs of caller and callee, with the same result."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baler_energy.profilers import tree

MAIN, FIT, BACK, FORWARD, LINEAR = (
    ("baler_energy/a.py", n, name) for n, name in enumerate(["main", "fit", "back", "fwd", "lin"])
)


def _shares(rows):
    return {row.stack: (row.total_share, row.self_share) for row in rows}


def test_stacks_give_a_place_for_each_path():
    stacks = [((MAIN, FIT, BACK), 3.0), ((MAIN, FIT, FORWARD), 1.0), ((MAIN, FIT), 0.5), ((MAIN, BACK), 0.5)]
    found = _shares(tree.from_stacks(stacks))
    assert found["main"] == (1.0, 0.0)
    assert found["main;fit"] == pytest.approx((0.9, 0.1))
    assert found["main;fit;back"] == pytest.approx((0.6, 0.6))
    assert found["main;back"] == pytest.approx((0.1, 0.1))


def test_a_place_of_less_than_half_a_percent_is_left_out():
    found = _shares(tree.from_stacks([((MAIN,), 997.0), ((MAIN, FIT), 3.0)]))
    assert set(found) == {"main"} and found["main"][0] == 1.0


def test_pairs_share_a_callee_among_its_callers_by_their_time():
    pairs = {
        MAIN: (1, 1.0, 10.0, {}),
        FIT: (2, 1.0, 6.0, {MAIN: (2, 6.0)}),
        FORWARD: (3, 2.0, 3.0, {MAIN: (3, 3.0)}),
        LINEAR: (9, 6.0, 6.0, {FIT: (6, 5.0), FORWARD: (3, 1.0)}),
    }
    rows = tree.from_pairs(pairs)
    found = _shares(rows)
    assert found["main;fit;lin"][0] == pytest.approx(0.5) and found["main;fwd;lin"][0] == pytest.approx(0.1)
    assert found["main;fit"] == pytest.approx((0.6, 0.1)) and found["main"] == pytest.approx((1.0, 0.1))
    assert {row.stack: row.calls for row in rows}["main;fit;lin"] == 6


def test_functions_that_call_one_another_are_one_place_named_after_ours():
    call = ("torch/module.py", 1, "_call_impl")
    pairs = {
        MAIN: (1, 1.0, 10.0, {}),
        # main calls the network, which calls its layers through the same function.
        call: (9, 2.0, 9.0, {MAIN: (1, 9.0), FORWARD: (8, 6.0)}),
        FORWARD: (9, 1.0, 8.0, {call: (9, 8.0)}),
        LINEAR: (8, 6.0, 6.0, {call: (8, 6.0)}),
    }
    found = _shares(tree.from_pairs(pairs))
    assert set(found) == {"main", "main;fwd", "main;fwd;lin"}
    assert found["main;fwd"] == pytest.approx((0.9, 0.3)) and found["main;fwd;lin"][0] == pytest.approx(0.6)


trees = st.recursive(
    st.floats(1.0, 100.0).map(lambda own: (own, [])),
    lambda inner: st.tuples(st.floats(1.0, 100.0), st.lists(inner, max_size=3)),
    max_leaves=12,
)


@given(trees)
def test_where_each_function_has_one_caller_pairs_give_what_stacks_give(root):
    stacks, pairs, count = [], {}, iter(range(1000))

    def walk(node, path):
        own_s, children = node
        frame = ("baler_energy/a.py", next(count), f"f{len(pairs)}")
        pairs[frame] = None
        stacks.append(((*path, frame), own_s))
        total_s = own_s + sum(walk(child, (*path, frame)) for child in children)
        pairs[frame] = (1, own_s, total_s, {path[-1]: (1, total_s)} if path else {})
        return total_s

    walk(root, ())
    by_pairs, by_stacks = _shares(tree.from_pairs(pairs)), _shares(tree.from_stacks(stacks))
    assert set(by_pairs) == set(by_stacks)
    for stack, shares in by_pairs.items():
        assert shares == pytest.approx(by_stacks[stack], abs=1e-9)
