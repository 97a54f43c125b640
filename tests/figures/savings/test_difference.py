"""Where the difference between the engines comes from: estimates from a profile of one epoch."""

from collections.abc import Callable

import pandas as pd
import pytest

from baler_energy.figures.base import NoData
from baler_energy.figures.savings.difference import draw_difference, times_by_category

Build = Callable[..., dict[str, pd.DataFrame]]
#: Name, file and share of one profiled epoch.
SHARES = {
    "upstream": (("normalize", "baler/modules/helper.py", 0.2), ("backward", "torch/_tensor.py", 0.8)),
    "reference": (("normalise", "codecs/normalisation.py", 0.05), ("backward", "torch/_tensor.py", 0.95)),
}


@pytest.fixture
def engines(build: Build) -> dict[str, pd.DataFrame]:
    """Tables of the reference and of upstream, which takes twice as long, each with a profile of one epoch."""
    tables = build()
    runs = tables["runs"]
    twice = runs.assign(engine="upstream", run_id="upstream/" + runs["run_id"])
    twice["duration_median_s"] *= 2
    row = tables["hotspots"].iloc[0]
    calls = [
        row.to_dict()
        | {"engine": engine, "run_id": engine, "operation": "train", "profiler": "cprofile", "kind": "call"}
        | {"name": name, "file": file, "stack": f"main;{name}", "total_share": share}
        for engine, functions in SHARES.items()
        for name, file, share in functions
    ]
    return {**tables, "runs": pd.concat([runs, twice], ignore_index=True), "hotspots": pd.DataFrame(calls)}


def test_a_training_of_five_epochs_scales_once(engines: dict[str, pd.DataFrame]) -> None:
    runs = engines["runs"].query("operation == 'train' and rows == 30_000 and batch_size == 512 and threads == 2")
    per_row_s = (runs[runs["epochs"] == 5]["duration_median_s"] / 30_000).groupby(runs["engine"]).mean()
    found = times_by_category(engines).set_index("label")
    for engine, scaling in (("upstream", 0.2), ("reference", 0.05)):
        share = scaling / (scaling + 5 * (1 - scaling))
        assert found.loc[engine, "scaling and rounding"] == pytest.approx(share * per_row_s[engine])
        assert found.loc[engine].drop("operation").sum() == pytest.approx(per_row_s[engine])


def test_one_profiled_engine_leaves_the_figure_out(engines: dict[str, pd.DataFrame]) -> None:
    calls = engines["hotspots"]
    with pytest.raises(NoData, match="fewer than two engines were profiled"):
        draw_difference({**engines, "hotspots": calls[calls["engine"] == "upstream"]})
