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
    single = runs[runs["at_centre"]].assign(precision="float32", at_centre=False)
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
