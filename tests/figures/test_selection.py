"""Reference point, sweeps, flags."""

import itertools
from collections.abc import Callable

import pandas as pd
import pytest

from baler_energy.figures import selection

Build = Callable[..., dict[str, pd.DataFrame]]
FIXED = {"dataset": "d", "engine": "e", "model": "m", "precision": "p", "compression_ratio": 2.0}


def test_reference_is_the_centre_of_a_one_at_a_time_design(tables: dict[str, pd.DataFrame]) -> None:
    reference = selection.reference_point(tables["runs"])
    assert (reference["rows"], reference["batch_size"], reference["epochs"]) == (30_000, 512, 5)


def test_reference_does_not_depend_on_where_the_centre_lies() -> None:
    rows = [{"rows": 9, "batch_size": 1, "epochs": e} for e in (1, 5, 7)]
    rows += [{"rows": r, "batch_size": 1, "epochs": 1} for r in (3, 6)]
    runs = pd.DataFrame([FIXED | row for row in rows])
    reference = selection.reference_point(runs.sample(frac=1, random_state=1))
    assert (reference["rows"], reference["epochs"]) == (9, 1)


def test_reference_of_a_factorial_design_is_its_middle() -> None:
    grid = itertools.product((1, 2, 3), (10, 20, 30), (5, 6, 7))
    runs = pd.DataFrame([FIXED | {"rows": r, "batch_size": b, "epochs": e} for r, b, e in grid])
    reference = selection.reference_point(runs)
    assert (reference["rows"], reference["batch_size"], reference["epochs"]) == (2, 20, 6)


def test_sweep_holds_the_other_axes(tables: dict[str, pd.DataFrame]) -> None:
    reference = selection.reference_point(tables["runs"])
    chosen = selection.sweep(tables["runs"], "epochs", reference)
    assert sorted(chosen["epochs"].unique()) == [1, 5, 25]
    assert set(chosen["rows"]) == {30_000}
    assert set(chosen["batch_size"]) == {512}


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("modelled_only", ()),
        ("", ()),
        (None, ()),
        (float("nan"), ()),
        ("contaminated, modelled_only,resumed", ("contaminated", "resumed")),
    ],
)
def test_defects_leave_out_what_is_no_defect(flags: object, words: tuple[str, ...]) -> None:
    assert selection.defects(flags) == words


def test_error_is_found_whichever_operation_records_it(build: Build) -> None:
    runs = build(repeats=1)["runs"]
    expected = runs.groupby("run_id")["mean_rms_over_range"].first()
    runs.loc[runs["operation"] != "decompress", "mean_rms_over_range"] = None
    found = selection.with_error(runs).set_index("run_id")["mean_rms_over_range"]
    pd.testing.assert_series_equal(found.sort_index(), expected.sort_index())


def test_describe_leaves_out_an_axis(tables: dict[str, pd.DataFrame]) -> None:
    reference = selection.reference_point(tables["runs"])
    assert "30,000 rows" in selection.describe(reference)
    assert "rows" not in selection.describe(reference, without="rows")
