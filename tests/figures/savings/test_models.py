"""Figures and table of networks of several sizes."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text
from scipy import stats

from baler_energy.analysis.schema import TABLES
from baler_energy.codecs.baler.architecture import Architecture
from baler_energy.figures.base import NoData
from baler_energy.figures.savings.models import draw_error_flops, draw_forward
from baler_energy.figures.style import styled
from baler_energy.figures.tables.models import TABLE

SIZES = {"baler": 61_536, "baler-small": 1_696, "baler-x0.5": 18_286, "baler-x2": 223_036}
#: Seconds per row of a forward pass: not quite a power law.
PER_ROW_S = {"baler": 1.1e-5, "baler-small": 1e-6, "baler-x0.5": 4e-6, "baler-x2": 4.6e-5}


@pytest.fixture(scope="module")
def sized(build):
    """Tables of a study with several networks, with a forward pass of each."""
    tables = build(evidence={"cpu": "measured"})
    runs = tables["runs"]
    here = runs[(runs["rows"] == 30_000) & (runs["batch_size"] == 512) & (runs["epochs"] == 5) & (runs["threads"] == 2)]
    added = []
    for model, parameters in SIZES.items():
        mine = here.assign(model=model, run_id=f"{model}/" + here["run_id"], parameters=parameters)
        size = parameters / SIZES["baler"]
        seconds = 30_000 * PER_ROW_S[model] * (1 + 0.1 * (mine["repeat"] - 1))
        times = {"duration_s": seconds, "duration_median_s": seconds}
        passed = mine.assign(operation="forward", **times, energy_j=10 * seconds, mean_rms_over_range=np.nan)
        added.append(passed[mine["operation"] == "train"])
        if model != "baler":
            added.append(mine.assign(flops=mine["flops"] * size, mean_rms_over_range=0.01 * size**-0.3))
    return {**tables, "runs": pd.concat([runs, *added], ignore_index=True)}


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text)]


def laws(figure: Figure) -> list[str]:
    """Return the legend's text about the exponents of energy and time."""
    return [text.split("exponent ")[1] for text in texts(figure) if "exponent" in text]


def test_the_exponent_of_a_forward_pass_is_found_and_networks_are_named(sized):
    figure = draw_forward(sized)
    shown = texts(figure)
    assert set(SIZES) <= set(shown) and "n = 3" in figure.get_suptitle()
    assert [panel.get_ylabel() for panel in figure.axes] == [
        "Energy per row of a forward pass, measured (µJ)",
        "Time per row of a forward pass (µs)",
    ]
    known = stats.linregress(np.log([*SIZES.values()]), np.log([*PER_ROW_S.values()]))
    half_width = stats.t.ppf(0.975, 2) * known.stderr  # four networks, regardless of the number of runs
    assert laws(figure) == [f"{known.slope:.2f} ± {half_width:.2f}"] * 2


def test_names_do_not_overlap_other_labels_of_a_mark(sized):
    runs = sized["runs"]
    for kept in (runs, runs[runs["repeat"] == 0]):
        figure = draw_forward({**sized, "runs": kept})
        with styled():
            figure.canvas.draw()
        said = [text for text in figure.axes[1].texts if text.get_text()]
        assert {text.get_text() for text in said} == {*SIZES} | ({"n = 1"} if kept is not runs else set())
        boxes = [text.get_window_extent() for text in said]
        assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_marks_are_per_row(sized):
    passed = sized["runs"][sized["runs"]["operation"] == "forward"]
    marks = draw_forward(sized).axes[1].collections[0].get_offsets()
    expected = sorted(1e6 * passed["duration_median_s"] / 30_000)
    assert sorted(float(y) for _, y in marks) == pytest.approx(expected)


def test_a_flagged_pass_is_in_no_law(sized):
    runs = sized["runs"].copy()
    bad = (runs["operation"] == "forward") & (runs["model"] == "baler-x2") & (runs["repeat"] == 0)
    runs.loc[bad, "duration_median_s"] *= 100
    runs.loc[bad, "in_mean"] = False
    runs.loc[bad, "run_flags"] = "contaminated"
    figure = draw_forward({**sized, "runs": runs})
    assert "1 flagged run excluded (contaminated)" in figure.get_suptitle() and "n = 2 to 3" in figure.get_suptitle()
    assert laws(figure) == laws(draw_forward({**sized, "runs": runs[~bad]})) != laws(draw_forward(sized))


def test_a_line_through_two_networks_has_no_interval(sized):
    runs = sized["runs"]
    (energy, time) = laws(draw_forward({**sized, "runs": runs[runs["model"].isin(["baler", "baler-small"])]}))
    expected = np.log(PER_ROW_S["baler"] / PER_ROW_S["baler-small"]) / np.log(SIZES["baler"] / SIZES["baler-small"])
    assert energy == time == f"{expected:.3g}"


def test_one_network_is_left_out_with_the_reason(tables, sized):
    for draw in (draw_forward, draw_error_flops):
        with pytest.raises(NoData, match="only one network, so there are no sizes to compare"):
            draw(tables)
    runs = sized["runs"]
    with pytest.raises(NoData, match="only one network at the study's centre"):
        draw_forward({**sized, "runs": runs[(runs["model"] == "baler") | (runs["operation"] != "forward")]})


def test_each_network_is_a_line_of_its_epochs(sized):
    figure = draw_error_flops(sized)
    found = {container.get_label(): container.lines[0].get_xydata() for container in figure.axes[0].containers}
    assert list(found) == ["model baler-small", "model baler-x0.5", "model baler", "model baler-x2"]
    gflop = 355_200 * 30_000 / 1e9
    assert found["model baler"][:, 0] == pytest.approx([gflop, 5 * gflop, 25 * gflop])  # the other rows are not epochs
    ((x, y),) = found["model baler-x2"]
    size = SIZES["baler-x2"] / SIZES["baler"]
    assert (x, y) == pytest.approx((5 * gflop * size, 0.01 * size**-0.3))


def counted(**changes):
    """Rows of the table ``models``: our count, and that of another tool with changes."""
    own = {"model": "64-32", "columns": 24, "latent_columns": 12, "tool": "baler-energy", "tool_version": None}
    own |= {"counted": 7_296.0, "definition": "MACs", "macs": 7_296.0, "parameters": 7_514, "reason": None}
    other = own | {"tool": "other", "tool_version": "1.0"} | changes
    names = [column.name for column in TABLES["models"][1]]
    return {"models": pd.DataFrame([own, other, other | {"repeat": 1}]).reindex(columns=names)}


@pytest.mark.parametrize(
    ("changes", "agrees", "reason"),
    [
        ({"counted": 14_592.0, "definition": "FLOPs"}, "yes", None),
        ({"macs": 7_514.0}, "no", "+218 MACs from our count of 7,296"),
        ({"parameters": 7_296}, "no", "-218 parameters from our count of 7,514"),
        ({"parameters": None}, "yes", None),
        ({"counted": None, "macs": None, "parameters": None, "reason": "is not installed"}, "unknown", "not installed"),
    ],
)
def test_a_tool_agrees_or_the_table_has_the_reason(changes, agrees, reason):
    table = TABLE.make(counted(**changes))
    own, other = table.to_dict("records")
    assert own["agrees"] == "yes" and pd.isna(own["reason"])
    assert other["agrees"] == agrees and pd.isna(other["reason"]) == (reason is None)
    assert reason is None or reason in other["reason"]
    assert other["widths"] == "24-64-32-12-32-64-24" and own["flops"] == 14_592
    text = TABLE.rows(pd.DataFrame([other]), 1)[0]
    assert text["agrees"].startswith(agrees) and (reason or "") in text["agrees"]
    assert (text["counted per row"] == "none") == (agrees == "unknown") and "nan" not in str(text)


def test_a_networks_name_gives_its_widths():
    architecture = Architecture.of("baler-x0.5", 24, 2)
    rows = counted(model="baler-x0.5", tool="baler-energy", macs=17_400.0, parameters=architecture.parameters)
    table = TABLE.make({"models": rows["models"].iloc[1:]})
    assert table["widths"].tolist() == ["24-100-50-25-12-25-50-100-24"]


def test_no_counts_make_an_empty_table():
    assert TABLE.make({"models": counted()["models"].iloc[:0]}).empty
