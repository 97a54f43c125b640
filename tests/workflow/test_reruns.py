"""Exactly what changed runs again. The tests share a finished study; each restores what it edits."""

import shutil
from pathlib import Path

import pandas as pd
import pytest
from rule_names import DATA, DOWNSTREAM, MEASURING, OPERATIONS

pytestmark = pytest.mark.long

AXES = {"rows": [400], "epochs": [1, 2]}


def records(root: Path) -> dict[Path, int]:
    """Each measurement record with its modification time."""
    return {path: path.stat().st_mtime_ns for path in (root / "results").rglob("measurement.json")}


def test_a_second_run_does_nothing(done):
    assert len(records(done.root)) == 2 * len(OPERATIONS)
    assert done.planned(done.finished_study()) == []


@pytest.mark.parametrize(
    ("axis", "values"), [("rows", [300, 400]), ("rows", [400, 600]), ("epochs", [3, 1, 2]), ("batch_size", [512, 64])]
)
def test_a_value_added_to_an_axis_runs_only_the_new_points(done, axis, values):
    jobs = done.planned(done.finished_study(axes=AXES | {axis: values}))
    measured = [(rule, wildcards) for rule, wildcards in jobs if rule in MEASURING]
    new = next(value for value in values if value not in AXES.get(axis, [512]))
    points = 1 if axis == "epochs" else len(AXES["epochs"])
    assert [rule for rule, _ in measured] == sorted([*MEASURING] * points)
    assert all(f"{axis}~{new}" in wildcards for _, wildcards in measured)


def test_a_new_axis_at_its_default_runs_nothing(done):
    measured = [rule for rule, _ in done.planned(done.finished_study(axes=AXES | {"precision": ["float64"]}))]
    assert not set(measured) & MEASURING


def test_another_derived_quantity_measures_and_prepares_nothing_again(done):
    data = {"toy": {"source": "toy", "shard_rows": 500, "derived": {"total": {"sum": ["pt", "mass"]}}}}
    jobs = done.planned(done.finished_study(data=data))
    rules = {rule for rule, _ in jobs}
    assert rules == DOWNSTREAM | {"study", "derive"}
    assert len([rule for rule, _ in jobs if rule == "derive"]) == len(AXES["epochs"])


def test_a_codec_that_is_not_trained_is_applied_without_a_training(done):
    jobs = done.planned(done.finished_study(axes=AXES | {"transform": ["baler", "identity"]}))
    measured = [(rule, wildcards) for rule, wildcards in jobs if rule in MEASURING]
    assert measured == [("apply", "point=toy/rows~400/transform~identity/repeat~0")]


def test_a_comment_or_docstring_in_the_package_runs_nothing(done):
    modules = ("stages/train.py", "meters/session.py", "codecs/baler/model.py")
    before = {done.root / "src" / "baler_energy" / module: "" for module in modules}
    for path in before:
        before[path] = path.read_text()
        path.write_text("# A remark.\n" + before[path])
    jobs = done.planned(done.finished_study())
    for path, text in before.items():
        path.write_text(text)
    assert jobs == []


def test_code_of_a_figure_redraws_figures_only(done):
    path = done.root / "src" / "baler_energy" / "figures" / "cost" / "loss.py"
    before = path.read_text()
    path.write_text(before + "\n\nA_NEW_NAME = 1\n")
    rules = {rule for rule, _ in done.planned(done.finished_study())}
    path.write_text(before)
    assert rules == {"figures", "report"}, "the first page lists the figures that were left out"


@pytest.mark.parametrize("module", ["codecs/baler/model.py", "meters/process.py", "meters/session.py"])
def test_code_of_the_codec_or_of_a_meter_measures_again(done, module):
    path = done.root / "src" / "baler_energy" / module
    before = path.read_text()
    path.write_text(before + "\n\nA_NEW_NAME = 1\n")
    rules = {rule for rule, _ in done.planned(done.finished_study())}
    path.write_text(before)
    assert rules >= MEASURING | {"calibrate"}


@pytest.mark.parametrize(
    "module", ["codecs/baler/streaming.py", "meters/ipmi.py", "meters/peers/zeus.py", "formats/root.py"]
)
def test_code_of_a_variant_that_the_study_does_not_use_runs_nothing(done, module):
    path = done.root / "src" / "baler_energy" / module
    before = path.read_text()
    path.write_text(before + "\n\nA_NEW_NAME = 1\n")
    jobs = done.planned(done.finished_study())
    path.write_text(before)
    assert jobs == []


def test_another_version_of_a_package_measures_again(done):
    # As with another version of torch: a distribution of that name is found first.
    metadata = done.root / "src" / "torch-99.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.1\nName: torch\nVersion: 99\n")
    rules = {rule for rule, _ in done.planned(done.finished_study())}
    shutil.rmtree(metadata.parent)
    assert rules >= MEASURING | {"calibrate"} and not rules & DATA


def test_a_longer_window_measures_again(done):
    rules = {
        rule for rule, _ in done.planned(done.finished_study(measurement=done.measurement | {"min_window_s": 0.2}))
    }
    assert rules >= MEASURING
    assert not rules & DATA


def test_a_new_calibration_measures_nothing_again(done):
    rules = {
        rule for rule, _ in done.planned(done.finished_study(measurement=done.measurement | {"calibrate_s": 0.06}))
    }
    assert rules == DOWNSTREAM | {"calibrate", "study"}


def test_another_limit_of_contamination_measures_nothing_again(done):
    limit = done.measurement | {"contamination_limit": 0.2}
    rules = {rule for rule, _ in done.planned(done.finished_study(measurement=limit))}
    assert rules == DOWNSTREAM | {"study"}


def test_a_log_of_the_users_is_merged_without_measuring(done):
    log = done.root / "watts.csv"
    log.write_text("time,power_w\n2026-01-01T00:00:00Z,20\n2026-01-01T00:00:01Z,20\n")
    rules = {rule for rule, _ in done.planned(done.finished_study(wattmeter={"path": "watts.csv"}))}
    log.unlink()
    assert rules == DOWNSTREAM | {"study"}


def test_the_country_recomputes_co2e_and_measures_nothing(done):
    runs = done.root / "results" / "tiny" / "dataset" / "runs.parquet"
    before, measured = pd.read_parquet(runs), records(done.root)
    changed = done.finished_study(country="POL", pue=1.5)
    assert {rule for rule, _ in done.planned(changed)} == DOWNSTREAM | {"study"}
    done.snakemake(changed, runs.relative_to(done.root))
    after = pd.read_parquet(runs)
    assert records(done.root) == measured
    pd.testing.assert_series_equal(after["energy_j"], before["energy_j"])
    assert (after["co2e_kg"] / before["co2e_kg"]).tolist() == pytest.approx(
        [661.9 / 34.84 * 1.5] * len(measured), rel=1e-3
    )


@pytest.mark.parametrize(
    "stated",
    [
        {"break_even": {"electricity_price_per_kwh": {"value": 0.5}}},
        {"price_per_kwh": 0.25, "currency": "CHF"},
        {"embodied": {"machine_co2e_kg": 1200, "lifetime_years": 4, "citation": "data sheet"}},
    ],
    ids=lambda stated: next(iter(stated)),
)
def test_a_price_and_embodied_emissions_redo_the_report_and_measure_nothing(done, stated):
    changed = done.finished_study(**stated)
    assert {rule for rule, _ in done.planned(changed)} == DOWNSTREAM | {"study"}


def test_a_window_that_changes_with_the_calibration_is_measured_again_in_the_same_run(done):
    # Snakemake cannot plan this: it only sees the second reason after the calibration.
    before = records(done.root)
    changed = done.finished_study(measurement=done.measurement | {"calibrate_s": 0.06, "idle_s": 0.04})
    assert not {rule for rule, _ in done.planned(changed)} & MEASURING
    done.snakemake(changed, *(path.relative_to(done.root) for path in before))
    after = records(done.root)
    assert all(after[path] > before[path] for path in before)
