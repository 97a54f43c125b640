"""Reference point, sweeps, flags."""

import math
from collections.abc import Callable

import pandas as pd
import pytest

from baler_energy.analysis.statistics import Estimate
from baler_energy.config.parameters import AXIS_DEFAULTS
from baler_energy.errors import InputError
from baler_energy.figures import selection
from baler_energy.figures.rates import rate_words

Build = Callable[..., dict[str, pd.DataFrame]]
#: Values of the axes that no test varies.
FIXED = {name: value for name, value in AXIS_DEFAULTS.items() if name not in ("device", "batch_size", "threads")}
FIXED |= {"dataset": "d", "engine": "e", "model": "m", "precision": "p"}
FIXED |= {"threads": 2, "device": "cpu"}


def test_the_reference_point_is_the_marked_one(tables: dict[str, pd.DataFrame]) -> None:
    reference = selection.centre_of(tables["runs"])
    assert (reference["rows"], reference["batch_size"], reference["epochs"]) == (30_000, 512, 5)
    runs = pd.DataFrame([FIXED | {"rows": 9, "batch_size": b, "epochs": 1, "at_reference": b == 2} for b in (1, 2, 3)])
    assert selection.centre_of(runs.sample(frac=1, random_state=1))["batch_size"] == 2


def test_a_table_without_the_centre_is_refused(tables: dict[str, pd.DataFrame]) -> None:
    runs = tables["runs"]
    with pytest.raises(InputError, match="no run is at the study's centre"):
        selection.centre_of(runs[~runs["at_reference"]])


def test_sweep_holds_the_other_axes(tables: dict[str, pd.DataFrame]) -> None:
    reference = selection.centre_of(tables["runs"])
    chosen = selection.sweep(tables["runs"], "epochs", reference)
    assert sorted(chosen["epochs"].unique()) == [1, 5, 25]
    assert set(chosen["rows"]) == {30_000}
    assert set(chosen["batch_size"]) == {512}


def test_excluded_runs_are_counted_and_named(tables: dict[str, pd.DataFrame]) -> None:
    runs = tables["runs"].head(4)
    assert selection.excluded_text(runs) == [] and selection.count_flagged(runs) == "4"
    wrong = [None, "throttled", "throttled,contaminated", None]
    bad = runs.assign(run_flags=wrong, in_mean=[True, False, False, True], run_notes="modelled_only,resumed")
    said = ["2 flagged runs excluded (throttled, contaminated), open marks."]
    assert selection.excluded_text(bad) == said and selection.count_flagged(bad) == "2 (+ 2 flagged)"
    assert selection.excluded_text(bad.iloc[1:3]) == [
        "All 2 runs flagged (throttled, contaminated): no means, only open marks."
    ]


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Estimate(2.0, 0.1, 3, 1, 9.0, 9.0, "throttled"), "2.00 ± 0.10 J"),
        (Estimate(math.nan, math.nan, 0, 2, 1.0, 1.5, "throttled"), "1 to 1.5 J (flagged)"),
        (Estimate(math.nan, math.nan, 0, 1, 1.0, 1.0, "throttled"), "1 J (flagged)"),
        (Estimate(math.nan, math.nan, 0, 0, math.nan, math.nan, ""), "unknown"),
    ],
)
def test_flagged_values_are_shown_as_such_and_only_without_a_mean(found: Estimate, text: str) -> None:
    assert selection.estimate_text(found, "J") == text


def test_flags_follow_the_record_of_the_operation(build: Build) -> None:
    tables = build(repeats=1, flags="throttled")
    bad = tables["runs"].iloc[0]
    flagged = selection.with_flags(tables["measurements"], tables["runs"])
    assert len(flagged) == len(tables["measurements"])
    hit = flagged[flagged["run_flags"] == "throttled"]
    assert set(hit["run_id"]) == {bad["run_id"]} and set(hit["operation"]) == {"train"}
    history = selection.with_flags(tables["history"], tables["runs"])
    assert set(history.loc[history["run_flags"] == "throttled", "run_id"]) == {bad["run_id"]}
    assert set(history.loc[~history["in_mean"], "run_id"]) == {bad["run_id"]}


def test_carbon_intensity_is_a_value_a_range_or_missing(tables: dict[str, pd.DataFrame]) -> None:
    runs = tables["runs"].head(3)
    name = "carbon_intensity_g_per_kwh"
    assert rate_words(runs)[0] == "Carbon intensity 34.8 g CO2e per kWh, PUE 1"
    changing = runs.assign(**{name: [20.0, 40.5, None]})
    said = ["Carbon intensity 20 to 40.5 g CO2e per kWh, PUE 1"]
    assert rate_words(changing)[:1] == said and "1 of 3 records" in rate_words(changing)[1]
    assert rate_words(runs.assign(**{name: math.nan}))[0].startswith("No CO2e: the study sets no carbon")


def test_the_error_is_found_in_any_operation(build: Build) -> None:
    runs = build(repeats=1)["runs"]
    expected = runs.groupby("run_id")["mean_rms_over_range"].first()
    runs.loc[runs["operation"] != "decompress", "mean_rms_over_range"] = None
    found = selection.with_error(runs).set_index("run_id")["mean_rms_over_range"]
    pd.testing.assert_series_equal(found.sort_index(), expected.sort_index())


def test_describe_leaves_out_an_axis(tables: dict[str, pd.DataFrame]) -> None:
    reference = selection.centre_of(tables["runs"])
    assert "30,000 rows" in selection.describe(reference)
    assert "rows" not in selection.describe(reference, without="rows")


def test_threads_are_swept_around_those_of_the_reference() -> None:
    points = [{"epochs": 1}, {"epochs": 5, "at_reference": True}, {"epochs": 5, "threads": 1}]
    runs = pd.DataFrame([FIXED | {"rows": 9, "batch_size": 1, "at_reference": False} | point for point in points])
    reference = selection.centre_of(runs)
    assert (reference["epochs"], reference["threads"]) == (5, 2)
    assert "2 threads" in selection.describe(reference) and "1 thread," in selection.describe(
        {**reference, "threads": 1}
    )
    assert list(selection.sweep(runs, "epochs", reference)["epochs"]) == [1, 5]
    assert sorted(selection.sweep(runs, "threads", reference)["threads"]) == [1, 2]


def test_a_device_with_other_threads_is_not_lost() -> None:
    axes = ("epochs", "rows", "threads")
    own = {"cpu": [(1, 9, 16), (5, 9, 16), (5, 8, 16), (5, 9, 4)], "cuda": [(1, 9, 8), (5, 9, 8)]}
    fixed = FIXED | {"batch_size": 1}
    points = [fixed | dict(zip(axes, p, strict=True)) | {"device": d} for d, found in own.items() for p in found]
    centre = [(5, 9, 16), (5, 9, 8)]
    points = [point | {"at_reference": tuple(point[axis] for axis in axes) in centre} for point in points]
    runs = pd.DataFrame(points)
    reference = selection.centre_of(runs)
    assert reference["threads"] == {"cpu": 16, "cuda": 8} and (reference["epochs"], reference["rows"]) == (5, 9)
    assert "threads 16 (CPU), 8 (GPU)" in selection.describe(reference)
    along = selection.sweep(runs, "epochs", reference)
    assert set(zip(along["device"], along["epochs"], along["threads"], strict=True)) == {
        ("cpu", 1, 16),
        ("cpu", 5, 16),
        ("cuda", 1, 8),
        ("cuda", 5, 8),
    }


def test_whole_numbers_leave_the_other_columns_of_a_wide_table_in_one_block() -> None:
    wide = pd.DataFrame({f"error_{number}": [0.5] for number in range(120)} | {"epochs": [5.0]})
    found = selection.at_point(wide, {"epochs": 5}).assign(label="")  # pandas would warn of a fragmented table
    assert found["epochs"].dtype == "int64" and len(found.columns) == 122


def test_data_that_are_not_physics_and_simulated_machines_have_a_notice() -> None:
    physics, toy = ({"dataset": "jets", "source": source, "run_notes": None} for source in ("pythia8", "toy"))
    assert selection.notices(pd.DataFrame([physics])) == []
    assert selection.notices(pd.DataFrame([physics, toy])) == ["toy data, not physics"]
    simulated = toy | {"run_notes": "resumed,simulated"}
    some, every = (selection.notices(pd.DataFrame(runs)) for runs in ([toy, simulated], [simulated]))
    assert some == ["toy data, not physics", "some energies of a simulated machine"]
    assert every == ["toy data, not physics", "energies of a simulated machine"]
    assert (selection.dataset_text(physics), selection.dataset_text(toy)) == ("jets", "jets (toy)")
