"""What pruned networks cost to apply, against unpruned ones."""

import pandas as pd
import pytest

from baler_energy.figures.readable import readable
from baler_energy.figures.tables.pruning import TABLE

COSTS = ["duration_s", "duration_median_s", "energy_j"]


@pytest.fixture
def pruned(tables):
    """Tables with networks without half of their neurons, which take half the time, and half of their weights."""
    runs = tables["runs"]
    here = runs[runs["at_reference"]]
    added = []
    for kind, factor in (("neurons-0.5", 0.5), ("weights-0.5", 1.0)):
        other = here.assign(pruning=kind, run_id=f"{kind}/" + here["run_id"], at_reference=False)
        other["mean_rms_over_range"] *= 2 - factor
        added.append(other.assign(**{name: other[name] * factor for name in COSTS}))
    return dict(tables) | {"runs": pd.concat([runs, *added], ignore_index=True)}


def test_removed_neurons_save_and_removed_weights_do_not(pruned):
    table = TABLE.make(pruned)
    assert list(table["pruning"]) == ["none", "neurons-0.5", "weights-0.5"] * 2
    rows = table.set_index(["operation", "pruning"])
    for operation in ("compress", "decompress"):
        neurons, weights = (rows.loc[(operation, name)] for name in ("neurons-0.5", "weights-0.5"))
        # Unpruned runs of other epochs have other noise, but the same mean.
        assert neurons["time_ratio"] == pytest.approx(0.5, rel=0.1) and neurons["time_ratio_high"] < 0.7
        assert weights["energy_ratio_low"] < 1 < weights["energy_ratio_high"]
        # Unlike costs, errors are compared with networks of the same training only.
        assert neurons["error"] == pytest.approx(1.5 * neurons["unpruned_error"])
        assert weights["error"] == pytest.approx(weights["unpruned_error"])
        whole = rows.loc[(operation, "none")]
        assert neurons["time_per_row_s"] / whole["time_per_row_s"] == pytest.approx(neurons["time_ratio"])
        assert (whole["n"], neurons["n"]) == (9, 3) and pd.isna(whole["time_ratio"])


def test_the_page_shows_the_factors(pruned):
    page = readable(TABLE, TABLE.make(pruned)).set_index(["operation", "pruning"])
    cell = page.loc[("compress", "neurons-0.5")]
    assert "x less (0." in cell["time, over unpruned"] and cell["energy per row"].endswith("(modelled)")
    assert page.loc[("compress", "weights-0.5"), "time, over unpruned"].startswith(("~", "equal"))
    assert page.loc[("compress", "none"), "time, over unpruned"] == ""
    assert cell["error"].endswith(" %") and page.loc[("compress", "none"), "error"] == "-"


def test_energies_of_another_kind_have_no_ratio(pruned):
    runs = pruned["runs"]
    other = runs.assign(energy_scope=runs["energy_scope"].where(runs["pruning"] == "none", "cpu"))
    table = TABLE.make(dict(pruned) | {"runs": other}).query("pruning != 'none'")
    assert table["energy_ratio"].isna().all() and table["time_ratio"].notna().all()


def test_flagged_runs_and_lone_networks_have_no_rows(pruned):
    runs = pruned["runs"]
    flagged = runs.assign(in_mean=runs["pruning"] == "none")
    assert TABLE.make(dict(pruned) | {"runs": flagged}).empty
    assert TABLE.make(dict(pruned) | {"runs": runs[runs["pruning"] != "none"]}).empty
