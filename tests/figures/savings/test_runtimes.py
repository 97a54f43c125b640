"""The runtimes side by side: factors, and reasons of those that could not run."""

import pandas as pd
import pytest

from baler_energy.figures.base import NoData
from baler_energy.figures.chapters import figures_of
from baler_energy.figures.runtime_rows import runtimes_at_centre
from baler_energy.figures.tables.runtimes import TABLE, runtimes

REASON = "The package tensorrt is not installed: `pip install tensorrt`."


@pytest.fixture
def compared(tables):
    """Make runs of eager, and of OpenVINO at half the time in float32; TensorRT is missing."""
    runs = tables["runs"]
    single = runs[runs["at_reference"]].assign(precision="float32", at_reference=False)
    single = single.assign(run_id="float32/" + single["run_id"])
    other = single.assign(runtime="openvino", run_id="openvino/" + single["run_id"], startup_s=2.0)
    other = other.assign(runtime_deviation=1e-7)
    for name in other.columns[other.columns.str.startswith("duration_")]:
        other[name] = other[name] / 2
    missing = {"axis": "runtime", "value": "tensorrt", "runs": 3, "of_runs": 9, "reason": REASON}
    left_out = pd.concat([tables["left_out"], pd.DataFrame([missing])])
    return dict(tables) | {"runs": pd.concat([runs, single, other], ignore_index=True), "left_out": left_out}


def test_the_table_has_factors_and_reasons(compared):
    table = runtimes(compared)
    ran = table[table["reason"].isna()].set_index(["runtime", "precision", "operation"])
    assert sorted(set(ran.index.droplevel(2))) == [
        ("eager", "float32"),
        ("eager", "float64"),
        ("openvino", "float32"),
    ]
    row = ran.loc[("openvino", "float32", "compress")]
    assert row["rows_per_s_ratio"] == pytest.approx(2)
    assert (row["startup_s"], row["runtime_deviation"], row["n"]) == (2.0, 1e-7, 3)
    assert ran.loc[("eager", "float32", "compress"), ["startup_s", "rows_per_s_ratio"]].isna().all()
    reasons = table.dropna(subset="reason").set_index(["runtime", "precision"])["reason"].to_dict()
    assert reasons == {
        ("openvino", "float64"): "it computes in float32, without saying so",
        ("tensorrt", "float64"): "it has no matrix products in float64",
        ("tensorrt", "float32"): REASON,
    }
    written = TABLE.rows(table, 100)
    assert {row["rows/s"] for row in written if row["operation"] == "not run"} == set(reasons.values())


FAULT = "differs from PyTorch by 0.001 of the results' range: the tolerance is 1e-05"


def _with_fault(tables, operations):
    """Tables in which OpenVINO deviates in these operations, so that its runs do not count."""
    runs = tables["runs"]
    wrong = (runs["runtime"] == "openvino") & runs["operation"].isin(operations)
    runs.loc[wrong, ["runtime_deviation", "runtime_reason"]] = [1e-3, FAULT]
    runs.loc[wrong, ["in_mean", "run_flags"]] = [False, "runtime_fault"]
    return tables


def test_a_runtime_that_deviates_is_a_row_with_the_reason_and_its_deviation(compared):
    table = runtimes(_with_fault(compared, ["compress"]))
    rows = table.set_index(["runtime", "precision", "operation"])
    row = rows.loc[("openvino", "float32", "compress")]
    assert (row["reason"], row["runtime_deviation"], row["n"], row["flagged_runs"]) == (FAULT, 1e-3, 0, 3)
    assert row[["rows_per_s", "rows_per_s_ratio", "startup_s", "mean_rms_over_range"]].isna().all()
    other = rows.loc[("openvino", "float32", "decompress")]
    assert pd.isna(other["reason"]) and other["n"] == 3
    (written,) = (row for row in TABLE.rows(table, 100) if row["rows/s"] == FAULT)
    assert (written["operation"], written["deviation from eager"]) == ("compress", "1.0e-03")


def test_the_figure_has_the_reason_and_the_deviation_of_a_runtime_whose_runs_do_not_count(compared):
    (spec,) = (spec for spec in figures_of("savings") if spec.name == "runtimes")
    figure = spec.draw(_with_fault(compared, ["compress", "decompress"]))
    speed, deviation = figure.axes[0], figure.axes[-1]
    said = [text.get_text() for text in speed.texts]
    assert "differs from PyTorch by 0.001 of the results' range" in said and "2.00; 2.00" not in said
    places = [label.get_text() for label in speed.get_yticklabels()]
    heights = [round(float(line.get_ydata()[0])) for line in speed.lines if len(line.get_ydata())]
    assert places.index("openvino, float32") not in heights
    assert any(line.get_xdata()[0] == pytest.approx(1e-3) for line in deviation.lines if len(line.get_xdata()))


def _more(tables, **changes):
    """Tables with more runs in float32, those of eager with other values."""
    runs = tables["runs"]
    chosen = runs[(runs["precision"] == "float32") & (runs["runtime"] == "eager")]
    other = chosen.assign(**changes, run_id="more/" + chosen["run_id"])
    return dict(tables) | {"runs": pd.concat([runs, other], ignore_index=True)}


def test_an_engine_with_its_own_program_is_compared_like_a_runtime(compared):
    more = _more(compared, engine="fast", runtime_deviation=2e-7, duration_median_s=1e-3)
    table = runtimes(_more(more, engine="fast", precision="bfloat16")).query("reason.isna()")
    assert list(dict.fromkeys(table["runtime"])) == ["eager", "fast", "openvino"]
    rows = table.set_index(["runtime", "precision", "operation"])
    fast, eager = (rows.loc[(name, "float32", "compress")] for name in ("fast", "eager"))
    assert fast["rows_per_s_ratio"] == pytest.approx(fast["rows_per_s"] / eager["rows_per_s"])
    assert fast["rows_per_s"] == pytest.approx(30_000 / 1e-3) and fast["runtime_deviation"] == 2e-7
    (spec,) = (spec for spec in figures_of("savings") if spec.name == "runtimes")
    names = [label.get_text() for label in spec.draw(more).axes[0].get_yticklabels()]
    assert names[3:] == ["eager, float32", "fast, float32", "openvino, float32", "tensorrt, float32"]


def test_a_runtime_on_another_device_has_a_row_and_is_named_in_the_figure(compared):
    left_out = compared["left_out"]
    there = dict(compared) | {"left_out": left_out[left_out["value"] != "tensorrt"]}
    there = _more(there, runtime="tensorrt", device="cuda", startup_s=9.0)
    table = runtimes(there).set_index(["runtime", "precision", "operation"])
    row = table.loc[("tensorrt", "float32", "decompress")]
    assert (row["device"], row["n"], row["startup_s"]) == ("cuda", 3, 9.0)
    assert pd.isna(row["rows_per_s_ratio"]), "eager did not run on this device"
    assert {one["run on"] for one in TABLE.rows(table.reset_index(), 100)} == {"CPU", "GPU", "-"}
    (spec,) = (spec for spec in figures_of("savings") if spec.name == "runtimes")
    figure = spec.draw(there)
    assert "Not drawn, but in the table of runtimes: tensorrt (GPU)." in figure.get_suptitle()
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert not any("tensorrt, float32" in name for name in names)


def test_the_figure_shows_both_precisions(compared):
    (spec,) = (spec for spec in figures_of("savings") if spec.name == "runtimes")
    figure = spec.draw(compared)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == [
        *("eager, float64", "openvino, float64", "tensorrt, float64"),
        *("eager, float32", "openvino, float32", "tensorrt, float32"),
    ]
    said = [text.get_text() for text in figure.axes[0].texts]
    assert "2.00; 2.00" in said and "it computes in float32, without saying so" in said


def test_one_runtime_is_nothing_to_compare(tables):
    with pytest.raises(NoData, match="only one runtime"):
        runtimes_at_centre(tables)
    assert runtimes(tables).empty
