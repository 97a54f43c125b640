"""Errors in figures and tables: the trivial codec is marked or stated, and captions say on which rows they are."""

import re
from collections.abc import Callable

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.text import Text

from baler_energy.analysis.error_measures import ALL, COMPRESSED
from baler_energy.figures import chapters
from baler_energy.figures.base import FigureSpec, NoData, TableSpec
from baler_energy.figures.captions import ERROR_ROWS
from baler_energy.figures.readable import readable
from baler_energy.figures.style import grid
from baler_energy.figures.trivial import LINE, NAME, mark_trivial, trivial_error, trivial_words
from baler_energy.variants import CHAPTERS

Tables = dict[str, pd.DataFrame]
#: Axes and headings of errors of a codec. Headings can also be an error alone.
ERROR = re.compile(r"RMS|NRMSE|[Rr]esidual / range|^largest / range|[Rr]elative error")
HEADING = re.compile(f"{ERROR.pattern}|^error")
FIGURES: list[FigureSpec] = [spec for chapter in CHAPTERS for spec in chapters.figures_of(chapter)]
#: Figures and tables that have errors in them.
WITH_ERRORS = {"rate_distortion", "codec_costs", "column_types", "column_errors", "error_energy", "held_out"}
WITH_ERRORS |= {"error_joules", "error_flops", "packing", "engines"}
HELD_OUT = {"held_out", "column_errors", "break_even_years", "break_even_volume"}
TABLES_WITH_ERRORS = {
    *("codecs", "error_measures", "summary", "engines", "runtimes", "physics", "savings", "pruning", "break_even")
}


@pytest.fixture(scope="module")
def rich(build: Callable[..., Tables]) -> Tables:
    """Engines, packings, networks (one is pruned) and runtimes at the centre, and columns of a known type."""
    tables = build(engines=True, optimizers=True)
    here = tables["runs"][tables["runs"]["at_reference"]]
    pruned = here.assign(pruning="neurons-0.5", run_id="pruned/" + here["run_id"], at_reference=False)
    tables["runs"] = pd.concat([tables["runs"], pruned], ignore_index=True)
    facts = {"zero_count": 0, "nonzero_count": 100, "integer_count": 0}
    return tables | {"errors": tables["errors"].assign(**facts)}


def _is_marked(panel: Axes) -> bool:
    return any(line.get_color() == LINE["color"] for line in panel.lines)


@pytest.mark.long
@pytest.mark.parametrize("spec", FIGURES, ids=lambda spec: spec.name)
def test_every_axis_of_errors_has_the_trivial_codec(spec: FigureSpec, rich: Tables) -> None:
    try:
        figure = spec.draw(rich)
    except NoData:
        assert spec.name not in WITH_ERRORS
        return
    panels = [
        panel
        for panel in figure.axes
        if any(map(ERROR.search, (panel.get_xlabel().strip(), panel.get_ylabel().strip())))
    ]
    # These panels compare at the same error, which is not on their axes.
    panels = [] if spec.name == "scorecard" else panels
    assert bool(panels) == (spec.name in WITH_ERRORS)
    assert all(map(_is_marked, panels))
    said = " ".join(text.get_text() for text in figure.findobj(Text)) + spec.caption
    assert not panels or NAME in said or "columns' means" in said


@pytest.mark.parametrize("spec", FIGURES, ids=lambda spec: spec.name)
def test_every_figure_of_errors_says_on_which_rows_they_are(spec: FigureSpec) -> None:
    # These compare codecs at errors that are not on their axes.
    matched = {"scorecard", "coder_gain", "coder_gain_relative", "derived", "distributions"}
    of_errors = spec.name in WITH_ERRORS | matched
    assert (ERROR_ROWS in spec.caption) == (of_errors and spec.name != "held_out")
    assert ("held-out" in spec.caption) == (spec.name in HELD_OUT)


@pytest.mark.long
@pytest.mark.parametrize("spec", chapters.tables(), ids=lambda spec: spec.name)
def test_every_table_of_errors_states_the_trivial_codec(spec: TableSpec, rich: Tables) -> None:
    frame = spec.make(rich)
    shown = readable(spec, frame)
    errors = [name for name in shown if HEADING.search(str(name))]
    # The error of break-even is in the notes.
    assert bool(errors) == (spec.name in TABLES_WITH_ERRORS - {"break_even"})
    said = [note for note in spec.notes(frame, rich) if note.startswith("The trivial codec")]
    assert len(said) == (spec.name in TABLES_WITH_ERRORS)


def test_it_is_marked_at_its_relative_error(rich: Tables) -> None:
    ((panel,),) = grid(1, 1, 3)[1]
    mark_trivial(panel, rich["runs"], "mean_relative_error_median", upright=True, limits=(0.1, 0.2))
    assert list(panel.lines[0].get_xdata()) == pytest.approx([0.6, 0.6])
    (words,) = trivial_words(rich["runs"])
    assert "8 % (jets; largest / range 90 %; median relative error 60 %) and an NRMSE of 1" in words
    names = ["trivial_mean_relative_error_median", "trivial_max_over_range"]
    unknown = rich["runs"].assign(**dict.fromkeys(names, float("nan")))
    assert "8 % (jets) and an NRMSE of 1" in trivial_words(unknown)[0]


def test_it_is_that_of_the_centre_where_ranges_differ(rich: Tables) -> None:
    """Ranges grow with the rows, so that its error falls: all pages state that of the centre."""
    runs = rich["runs"].copy()
    other = runs["rows"] != runs.loc[runs["at_reference"], "rows"].iloc[0]
    assert other.any()
    runs.loc[other, "trivial_mean_rms_over_range"] = 0.05
    assert trivial_error(runs, "mean_rms_over_range") == pytest.approx(0.08)
    assert "range of 8 % (jets" in trivial_words(runs)[0]
    assert trivial_error(runs[other], "mean_rms_over_range") == pytest.approx(0.05), "without the centre, that of all"
    bare = runs.drop(columns="at_reference")
    assert 0.05 < trivial_error(bare, "mean_rms_over_range") < 0.08


def test_losses_have_the_trivial_codec(rich: Tables) -> None:
    errors = rich["errors"]
    of_columns = errors[(errors["column"] != ALL) & (errors["on_rows"] == COMPRESSED)]["trivial_rms_over_range"]
    assert of_columns.isna().any()  # a constant column, which every codec reconstructs
    expected = (of_columns.fillna(0.0) ** 2).mean()
    for name in ("loss_epochs", "loss_energy"):
        (spec,) = (one for one in FIGURES if one.name == name)
        panels = spec.draw(rich).axes
        lines = [line for panel in panels for line in panel.lines if line.get_color() == LINE["color"]]
        assert len(lines) == len(panels)
        assert [float(line.get_ydata()[0]) for line in lines] == pytest.approx([expected] * len(lines))
