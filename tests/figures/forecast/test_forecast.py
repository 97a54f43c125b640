"""The chapter on forecasts: what its figures and tables show of runs with a known law."""

import re

import pandas as pd
import pytest
from known_law import IDLE_W, TIME, known_tables
from matplotlib.text import Text

from baler_energy.figures.base import NoData
from baler_energy.figures.chapters import figures_of, tables
from baler_energy.figures.readable import notes, readable

Tables = dict[str, pd.DataFrame]
FIGURES = {spec.name: spec for spec in figures_of("forecast")}
SPECS = {spec.name: spec for spec in tables()}


@pytest.fixture(scope="module")
def measured() -> Tables:
    return known_tables()


def page(name: str, data: Tables) -> tuple[pd.DataFrame, pd.DataFrame, str]:
    """Numbers, text and notes of a table."""
    frame = SPECS[name].make(data)
    shown = readable(SPECS[name], frame)
    assert not shown.astype(str).apply(lambda column: column.str.contains("nan|None", case=False)).any(axis=None)
    return frame, shown, " ".join(notes(SPECS[name], frame, data))


def test_coefficients_have_units_intervals_and_numbers_of_runs(measured: Tables) -> None:
    frame, shown, _ = page("laws", measured)
    time = frame[(frame["operation"] == "train") & (frame["quantity"] == "time")].set_index("term")
    assert time["unit"].to_dict() == {
        **{"job": "s/job", "epoch": "s/epoch", "step": "s/step"},
        **{"byte": "s/B", "flop": "s/FLOP"},
    }
    assert (time["low"] <= time["value"]).all() and (time["value"] <= time["high"]).all()
    assert time["value"].to_dict() == pytest.approx(TIME, rel=0.25) and set(time["runs"]) == {81}
    static = shown[(shown["term"] == "static") & (shown["operation"] == "train")].iloc[0]
    assert static["coefficient (95 % interval)"] == f"{IDLE_W:.3g} W"
    flop = shown[(shown["term"] == "per FLOP") & (shown["quantity"] == "time")].iloc[0]
    assert re.fullmatch(r"0\.0\d+ ns/FLOP\n\(0\.0\d+ to 0\.0\d+\)", flop["coefficient (95 % interval)"])
    assert flop["peak of the machine"] == "-"


def test_peaks_of_the_machine_are_in_the_units_of_the_coefficients(measured: Tables) -> None:
    point = measured["runs"].iloc[0][["run_id", "device", "precision", "threads"]].to_dict()
    common = point | {"operation": "machine", "kind": "peak", "self_time_s": 2.0, "energy_j": 80.0}
    common |= {"energy_evidence": "measured", "flops": float("nan"), "bytes": float("nan")}
    peaks = [common | {"name": "matrix product", "flops": 8e10}, common | {"name": "memory copy", "bytes": 4e9}]
    slow = peaks[0] | {"self_time_s": 3.0, "energy_j": 130.0}
    frame, shown, _ = page("laws", measured | {"hotspots": pd.DataFrame([*peaks, slow])})
    train = frame[frame["operation"] == "train"].set_index(["quantity", "term"])["peak"]
    assert train["time", "flop"] == pytest.approx(2 / 8e10) and train["energy", "flop"] == pytest.approx(1e-9)
    assert train["time", "byte"] == pytest.approx(5e-10) and train["energy", "byte"] == pytest.approx(2e-8)
    assert train.drop(["flop", "byte"], level="term").isna().all()
    assert "1 nJ/FLOP" in set(shown["peak of the machine"])
    modelled = [row | {"energy_evidence": "modelled"} for row in peaks]
    frame = SPECS["laws"].make(measured | {"hotspots": pd.DataFrame(modelled)})
    assert frame.loc[frame["quantity"] == "energy", "peak"].isna().all()


def test_merged_terms_and_an_unknown_static_share_are_reported() -> None:
    grid = {"rows": (200, 1_000, 3_000, 10_000, 30_000), "epochs": (1, 2, 4, 8)}
    _, shown, _ = page("laws", known_tables(measured=False, grid=grid))
    train = shown[shown["operation"] == "train"]
    assert train["term"].str.contains("not distinguishable").any() and train["condition number"].str.len().any()
    static = train[train["term"] == "static"]["coefficient (95 % interval)"].tolist()
    assert static == ["no idle power was measured, so it is a part of the other terms"]


def test_the_validation_names_deviations_and_the_worst_run(measured: Tables) -> None:
    frame, shown, said = page("validation", measured)
    assert set(frame["case"]) == {"largest tenth", "one model"} and set(frame["quantity"]) == {"time", "energy"}
    assert (frame["law_median"] <= frame["law_q90"]).all()
    assert (frame["law_median"] < frame["proportional_median"]).all()
    assert "Train, time: median deviation" in said and "measured energy" in said and "times larger" in said
    assert shown["worst run"].str.contains(r"rows, epochs \d+, batch size \d+, model .*: [+-]").all()


def test_tables_of_a_study_without_a_law_give_the_reason() -> None:
    few = known_tables(grid={"rows": (200, 3_000)})
    for name, words in (("laws", "No law"), ("validation", "Nothing to predict")):
        frame, _, _ = page(name, few)
        assert frame.empty and f"{words}: no operation has unflagged runs" in SPECS[name].without_rows
    with pytest.raises(NoData, match="four or more points"):
        FIGURES["predicted"].draw(few)


def test_the_table_of_metrics_advises(measured: Tables) -> None:
    _, shown, said = page("cost_metrics", measured)
    assert "Of what is known before a run, " in said and "alone predicts the energy best" in said
    train = shown[shown["operation"] == "train"].set_index("metric")
    assert train.loc["Green Algorithms", "why not"] == "no run has a value"
    assert train.loc["FLOPs", "known"] == "before the run" and train.loc["CPU time", "known"] == "after it"


def test_predictions_are_drawn_against_runs_with_the_withheld_ones_marked(measured: Tables) -> None:
    figure = FIGURES["predicted"].draw(measured)
    assert len(figure.axes) == 6 and [panel.get_title(loc="left") for panel in figure.axes[:3]] == [
        "train",
        "compress",
        "decompress",
    ]
    assert figure.axes[3].get_xlabel() == "Energy of the run, measured (J)"
    marks = {line.get_label(): len(line.get_xdata()) for line in figure.axes[0].lines}
    assert marks["run in the fit"] == marks["withheld: all runs of its model"] == 81
    assert 0 < marks["withheld: largest tenth of the points"] < 15
    assert "n = 81 in the fit" in figure.get_suptitle() and "times larger than the others" in figure.get_suptitle()


def test_metrics_that_contain_the_time_are_not_drawn_where_it_is_predicted() -> None:
    figure = FIGURES["cost_metrics"].draw(known_tables(measured=False))
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert "FLOPs" in names and "wall time" not in names
    shown = " ".join(text.get_text() for text in figure.findobj(Text))
    assert "Energy is modelled, so the time" in shown and "n = 81 runs" in shown
