"""Speed-up and energy per row against threads."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from baler_energy.analysis.parallel import fit_amdahl
from baler_energy.figures.base import NoData
from baler_energy.figures.hotspots.parallel import draw_parallel
from baler_energy.figures.selection import interval_text

Build = Callable[..., dict[str, pd.DataFrame]]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def marks(panel: Axes, marker: str) -> dict[float, float]:
    """Heights of the filled marks by their position."""
    lines = [line for line in panel.lines if line.get_marker() == marker and line.get_markerfacecolor() != "white"]
    return {float(x): float(y) for line in lines for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)}


def sweep(tables: dict[str, pd.DataFrame], operation: str) -> pd.DataFrame:
    runs = tables["runs"]
    here = (runs["rows"] == 30_000) & (runs["batch_size"] == 512) & (runs["epochs"] == 5)
    return runs[here & (runs["operation"] == operation)]


def test_marks_and_law_are_those_of_the_runs(tables: dict[str, pd.DataFrame]) -> None:
    figure, train = draw_parallel(tables), sweep(tables, "train")
    mean_s = train.groupby("threads")["duration_median_s"].mean()
    assert marks(figure.axes[0], "o") == pytest.approx(dict(mean_s.loc[1] / mean_s))
    law = fit_amdahl(train["threads"], train["duration_median_s"])
    said = f"serial fraction {interval_text(law.serial_fraction, law.serial_fraction_half_width)} (train)"
    assert said in legend(figure)[0] and "(compress)" in legend(figure)[0] and "(decompress)" in legend(figure)[0]
    efficiency = f"CPU run, parallel efficiency on 4 threads: train {100 * mean_s.loc[1] / mean_s.loc[4] / 4:.0f} %"
    assert efficiency in figure.get_suptitle() and "n = 3." in figure.get_suptitle()


def test_a_disturbed_iteration_does_not_change_the_speed_up(tables: dict[str, pd.DataFrame]) -> None:
    runs = tables["runs"]
    slower = runs.assign(duration_s=runs["duration_s"].where(runs["repeat"] > 0, 10 * runs["duration_s"]))
    drawn = [draw_parallel(tables | {"runs": table}).axes[0].lines for table in (runs, slower)]
    for quiet, disturbed in zip(*drawn, strict=True):
        np.testing.assert_array_equal(quiet.get_ydata(), disturbed.get_ydata())


def test_energy_is_per_row_with_its_evidence(tables: dict[str, pd.DataFrame]) -> None:
    figure = draw_parallel(tables)
    per_row_uj = sweep(tables, "compress").groupby("threads")["energy_j"].mean() / 30_000 * 1e6
    assert marks(figure.axes[4], "^") == pytest.approx(dict(per_row_uj))
    assert figure.axes[3].get_ylabel() == "Energy per row, modelled (µJ)"
    assert "CPU run: modelled energy of CPU + RAM" in legend(figure)


def test_runs_of_the_same_number_of_threads_are_one_point(tables: dict[str, pd.DataFrame]) -> None:
    runs = tables["runs"]
    again = runs[runs["threads"] == 2].assign(run_id=lambda t: t["run_id"] + "/threads~2", duration_median_s=1e-2)
    both = {**tables, "runs": pd.concat([runs, again], ignore_index=True)}
    figure, mean_s = draw_parallel(both), sweep(both, "train").groupby("threads")["duration_median_s"].mean()
    assert "n = 3 to 6" in figure.get_suptitle()
    assert marks(figure.axes[0], "o")[2.0] == pytest.approx(mean_s.loc[1] / mean_s.loc[2])


def test_a_law_that_does_not_hold_is_reported_and_not_drawn(tables: dict[str, pd.DataFrame]) -> None:
    runs = tables["runs"]
    slower = runs["duration_median_s"].where(runs["operation"] != "compress", 0.1 * runs["threads"])
    figure = draw_parallel({**tables, "runs": runs.assign(duration_median_s=slower)})
    assert "none, slower with more threads (compress)" in legend(figure)[0]
    curves = [[line for line in panel.lines if len(line.get_xdata()) == 100] for panel in figure.axes[:3]]
    assert [len(lines) for lines in curves] == [2, 1, 2]  # the ideal, and the law if it holds


def test_a_flagged_run_is_open_and_in_no_speed_up(tables: dict[str, pd.DataFrame]) -> None:
    runs = tables["runs"]
    bad = (runs["threads"] == 4) & (runs["repeat"] == 0)
    flagged = {**tables, "runs": runs.assign(in_mean=~bad, run_flags=runs["run_flags"].where(~bad, "throttled"))}
    figure, train = draw_parallel(flagged), sweep(tables, "train")
    good = train[(train["threads"] != 4) | (train["repeat"] > 0)].groupby("threads")["duration_median_s"].mean()
    assert marks(figure.axes[0], "o") == pytest.approx(dict(good.loc[1] / good))
    opened = [line for line in figure.axes[0].lines if line.get_markerfacecolor() == "white"]
    single = train.loc[(train["threads"] == 4) & (train["repeat"] == 0), "duration_median_s"]
    assert np.concatenate([line.get_ydata() for line in opened]) == pytest.approx(list(good.loc[1] / single))
    assert "3 flagged runs excluded (throttled)" in figure.get_suptitle()


def test_one_number_of_threads_is_no_axis(tables: dict[str, pd.DataFrame]) -> None:
    runs = tables["runs"]
    with pytest.raises(NoData, match=r"only one number of threads \(2\)"):
        draw_parallel({**tables, "runs": runs[runs["threads"] == 2]})


def test_many_threads_have_logarithmic_axes_on_which_the_ideal_is_straight(build: Build) -> None:
    tables = build()
    threads = tables["runs"]["threads"].replace({4: 32})
    figure = draw_parallel({**tables, "runs": tables["runs"].assign(threads=threads)})
    assert {axis.get_xscale() for axis in figure.axes} == {axis.get_yscale() for axis in figure.axes} == {"log"}
