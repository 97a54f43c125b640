"""Every figure is drawn without warnings, labelled, and reports n and evidence."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import MappingProxyType

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from baler_energy.analysis.statistics import variation
from baler_energy.errors import BalerEnergyError, InputError
from baler_energy.figures import chapters
from baler_energy.figures.base import Dataset, FigureSpec, NoData, by_dataset
from baler_energy.figures.style import styled
from baler_energy.figures.trivial import LINE
from baler_energy.variants import CHAPTERS, TABLES

Build = Callable[..., dict[str, pd.DataFrame]]

SPECS: dict[str, FigureSpec] = {spec.name: spec for chapter in CHAPTERS for spec in chapters.figures_of(chapter)}
MEASURED = MappingProxyType({"cpu": "measured", "ram": "modelled", "gpu": "measured"})
EACH_MARK_IS_A_RUN = (
    *("meters", "iterations", "contamination", "foreign", "co2e_countries", "calibration", "predicted", "cost_metrics"),
)
#: Labels of pure numbers, which need no unit.
PURE = re.compile(
    r"Epochs?|Threads|Parameters.*|Rows.*|Batch.*|Rec\. / orig\.|.* / range|Operation|Loss.*|Second / first|"
    r"Residual.*|eta|.*mult.*|.*NRMSE|.*relative error"
)


@pytest.fixture(scope="module")
def rich(build: Build) -> dict[str, pd.DataFrame]:
    """CPU and GPU, counters and models, two meters, a wattmeter, a flagged run, and the tables other than runs."""
    options = {"evidence": dict(MEASURED), "flags": "contaminated", "second_meter": True, "node": True, "extras": True}
    options |= {"engines": True, "optimizers": True}
    return build(devices=("cpu", "cuda"), **options)


@pytest.fixture(scope="module")
def single(build: Build) -> dict[str, pd.DataFrame]:
    """One run of each point."""
    options = {"evidence": dict(MEASURED), "second_meter": True, "extras": True, "engines": True, "optimizers": True}
    return build(repeats=1, devices=("cpu", "cuda"), **options)


@pytest.fixture(scope="module")
def flagged(build: Build) -> dict[str, pd.DataFrame]:
    """Tables of runs that are all flagged."""
    options = {"second_meter": True, "engines": True}
    return build(flags="contaminated", all_flagged=True, evidence={"cpu": "measured"}, **options)


def texts(figure: Figure) -> str:
    return "\n".join(t.get_text() for t in figure.findobj(Text))


def labels(panel: Axes) -> Iterator[str]:
    yield from (text for text in (panel.get_xlabel(), panel.get_ylabel()) if text)


def check_texts(figure: Figure) -> None:
    """Draw, and check that no text leaves the figure or overlaps another text."""
    canvas = FigureCanvasAgg(figure)
    with styled():
        canvas.draw()
    renderer = canvas.get_renderer()
    hidden = set()
    for panel in [*figure.axes, *(inner for outer in figure.axes for inner in outer.child_axes)]:
        for axis, limits in ((panel.xaxis, panel.get_xlim()), (panel.yaxis, panel.get_ylim())):
            # Tick labels beyond the limits exist, but are not drawn.
            beyond = [t for t in axis.get_major_ticks() if not min(limits) <= t.get_loc() <= max(limits)]
            hidden |= {id(label) for t in (*axis.get_minor_ticks(), *beyond) for label in (t.label1, t.label2)}
    shown = [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip() and id(t) not in hidden]
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in shown]
    for number, (text, box) in enumerate(boxes):
        assert box.x0 > -2 and box.x1 < figure.bbox.width + 2, f"{text!r} leaves the figure"
        assert box.y0 > -2 and box.y1 < figure.bbox.height + 2, f"{text!r} leaves the figure"
        for other, against in boxes[number + 1 :]:
            wide = min(box.x1, against.x1) - max(box.x0, against.x0)
            high = min(box.y1, against.y1) - max(box.y0, against.y0)
            assert wide < 2 or high < 2, f"{text!r} overlaps {other!r}"


@pytest.mark.parametrize("name", SPECS)
def test_figure_draws_with_labels_and_units(name: str, rich: dict[str, pd.DataFrame]) -> None:
    figure = SPECS[name].draw(rich)
    check_texts(figure)
    found = [label for panel in figure.axes for label in labels(panel)]
    assert found
    for label in found:
        assert re.search(r"\([^()]*\)", label) or PURE.fullmatch(label.replace("\n", " ")), label
    assert all(panel.has_data() for panel in figure.axes), "an empty panel"
    assert "toy" not in texts(figure)
    if name != "spread":
        assert re.search(r"n = \d", texts(figure)) or "One line per repeat" in texts(figure)


@pytest.mark.long
@pytest.mark.parametrize("name", SPECS)
def test_a_single_run_is_labelled_n_1_or_left_out(name: str, single: dict[str, pd.DataFrame]) -> None:
    if name in ("spread", "repeats_needed"):
        with pytest.raises(NoData, match="two repeats"):
            SPECS[name].draw(single)
        return
    shown = texts(SPECS[name].draw(single))
    if name not in EACH_MARK_IS_A_RUN:
        assert "n = 1" in shown


@pytest.mark.parametrize("name", ["cost_epochs", "error_energy"])
def test_a_single_run_among_repeated_points_is_labelled(name: str, build: Build) -> None:
    tables = build()
    runs = tables["runs"]
    lone = (runs["epochs"] == 25) & (runs["repeat"] > 0)
    figure = SPECS[name].draw({**tables, "runs": runs[~lone]})
    assert "n = 1 to 3" in figure.get_suptitle()
    assert "n = 1" in [text.get_text() for text in figure.axes[0].texts]


@pytest.mark.parametrize("name", ["contamination", "components", "meters"])
def test_toy_data_is_labelled(name: str, build: Build) -> None:
    figure = SPECS[name].draw(build(source="toy", evidence={"cpu": "measured"}, second_meter=True))
    assert "toy data, not physics" in figure.get_suptitle()


@pytest.mark.long
@pytest.mark.parametrize("name", SPECS)
def test_energies_of_a_simulated_machine_are_labelled_on_every_figure(name: str, rich: dict[str, pd.DataFrame]) -> None:
    runs = rich["runs"].assign(run_notes="simulated", source="toy")
    figure = SPECS[name].draw({**rich, "runs": runs})
    label = "(toy data, not physics; energies of a simulated machine)"
    assert label in figure.get_suptitle().replace("\n", " ")
    check_texts(figure)


@pytest.mark.parametrize("name", SPECS)
def test_empty_tables_leave_every_figure_out(name: str, tables: dict[str, pd.DataFrame]) -> None:
    with pytest.raises(NoData, match=r"\w+ \w+"):
        SPECS[name].draw({key: table.iloc[:0] for key, table in tables.items()})


def test_no_second_meter_leaves_the_comparison_out(tables: dict[str, pd.DataFrame]) -> None:
    with pytest.raises(NoData, match="two meters"):
        SPECS["meters"].draw(tables)


def test_one_value_of_an_axis_leaves_its_figure_out(tables: dict[str, pd.DataFrame]) -> None:
    runs = tables["runs"]
    with pytest.raises(NoData, match=r"only one value of rows \(30000\)"):
        SPECS["cost_rows"].draw({**tables, "runs": runs[runs["rows"] == 30_000]})


def test_one_point_is_no_curve(tables: dict[str, pd.DataFrame]) -> None:
    with pytest.raises(NoData, match="only one point"):
        SPECS["error_energy"].draw({**tables, "runs": tables["runs"][tables["runs"]["at_reference"]]})


def test_no_gpu_shows_no_gpu(tables: dict[str, pd.DataFrame]) -> None:
    for name in ("components", "timeseries", "cost_epochs"):
        assert "GPU" not in texts(SPECS[name].draw(tables))


def mixed(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Make the even repeats measured and the odd ones modelled at ten times the energy."""
    runs = tables["runs"].copy()
    even = runs["repeat"] % 2 == 0
    runs["energy_evidence"] = runs["energy_evidence"].where(~even, "measured")
    runs["energy_j"] = runs["energy_j"].where(even, 10 * runs["energy_j"])
    history = tables["history"].copy()
    history["energy_evidence"] = history["energy_evidence"].where(history["repeat"] % 2 != 0, "measured")
    return {**tables, "runs": runs, "history": history}


def test_measured_and_modelled_never_share_a_series(build: Build) -> None:
    tables = mixed(build(repeats=4))
    runs = tables["runs"]
    figure = SPECS["cost_epochs"].draw(tables)
    assert figure.axes[0].get_ylabel() == "Energy (J)"  # the legend names the evidence
    shown = texts(figure)
    assert "measured energy of" in shown and "modelled energy of" in shown and "n = 2" in shown
    drawn = {round(float(y), 6) for line in figure.axes[0].lines for y in line.get_ydata()}
    train = runs[(runs["operation"] == "train") & (runs["rows"] == 30_000) & (runs["batch_size"] == 512)]
    train = train[train["threads"] == 2]
    apart = train.groupby(["epochs", "energy_evidence"])["energy_j"].mean()
    together = train.groupby("epochs")["energy_j"].mean()
    assert {round(v, 6) for v in apart} <= drawn
    assert not {round(v, 6) for v in together} & drawn


@pytest.mark.parametrize("name", ["loss_energy", "error_energy"])
def test_measured_and_modelled_have_separate_panels(name: str, build: Build) -> None:
    figure = SPECS[name].draw(mixed(build(repeats=4)))
    found = [panel.get_xlabel() for panel in figure.axes]
    assert len(found) == 2 and "measured" in found[0] and "modelled" in found[1]


def test_components_of_different_evidence_are_not_stacked(build: Build) -> None:
    figure = SPECS["components"].draw(build(evidence={"cpu": "measured", "ram": "modelled"}))
    bars = figure.axes[0].patches
    assert [bar.get_y() for bar in bars] == [0.0, 0.0]
    assert len({bar.get_x() for bar in bars}) == 2
    assert {bool(bar.get_hatch()) for bar in bars} == {True, False}


def test_modelled_energy_is_never_shown_as_measured(tables: dict[str, pd.DataFrame]) -> None:
    for name in ("cost_epochs", "loss_energy", "components", "error_energy", "spread"):
        figure = SPECS[name].draw(tables)
        said = [label for panel in figure.axes for label in (*labels(panel), panel.get_title(loc="left"))]
        about = [label for label in said if "Energy" in label or "CO" in label]
        assert about and all("modelled" in label for label in about), said


def open_marks(panel: Axes) -> list[float]:
    """Heights of the marks with a white face."""
    lines = [line for line in panel.lines if line.get_marker() not in ("None", "_", "|", "")]
    return [float(y) for line in lines if line.get_markerfacecolor() == "white" for y in line.get_ydata()]


def test_a_flagged_run_is_drawn_open_and_is_in_no_mean(build: Build) -> None:
    tables = build(flags="contaminated")
    bad, runs = tables["runs"].iloc[0], tables["runs"]
    figure = SPECS["cost_rows"].draw(tables)
    assert open_marks(figure.axes[0]) == pytest.approx([bad["energy_j"]])
    assert "1 flagged run excluded (contaminated)" in figure.get_suptitle() and "n = 2 to 3" in figure.get_suptitle()
    mine = runs[(runs["rows"] == bad["rows"]) & (runs["operation"] == "train")]["energy_j"]
    drawn = {round(float(y), 6) for line in figure.axes[0].lines for y in line.get_ydata()}
    assert round(float(mine.iloc[1:].mean()), 6) in drawn and round(float(mine.mean()), 6) not in drawn


@pytest.mark.long
@pytest.mark.parametrize("name", SPECS)
def test_a_study_of_flagged_runs_shows_them_open_and_without_means(name: str, flagged: dict[str, pd.DataFrame]) -> None:
    try:
        figure = SPECS[name].draw(flagged)
    except NoData as reason:
        assert name in (
            "spread",
            "co2e_countries",
            "co2e_hours",
            "foreign",
            "calibration",
            "gpu_timeline",
            "difference",
            "break_even_years",
            "break_even_volume",
            "codec_costs",
            "codec_throughput",
            "factors",
            "optimizers",
            "predicted",
            "cost_metrics",
        ), reason
        return
    check_texts(figure)
    if name.startswith("cost") or name in ("components", "error_energy"):
        assert "flagged (contaminated): no means" in figure.get_suptitle() and "n = " not in figure.get_suptitle()
        assert open_marks(figure.axes[0])
        assert not figure.axes[0].patches and not figure.axes[0].containers
    if name == "components":
        assert "all 3 runs flagged:\ncontaminated" in texts(figure)


def test_a_flagged_run_is_in_no_bar(build: Build) -> None:
    tables = build(evidence={"cpu": "measured"})
    runs, measured = tables["runs"], tables["measurements"].query("quantity == 'energy'")
    reference = (runs["rows"] == 30_000) & (runs["batch_size"] == 512) & (runs["epochs"] == 5) & (runs["threads"] == 2)
    first = reference & (runs["repeat"] == 0)
    flagged = runs.assign(in_mean=~first, run_flags=runs["run_flags"].where(~first, "throttled"))
    figure = SPECS["components"].draw({**tables, "runs": flagged})
    assert "3 flagged runs excluded (throttled)" in figure.get_suptitle()
    kept = runs[reference & (runs["repeat"] > 0) & (runs["operation"] == "train")]["run_id"]
    energy = measured[measured["run_id"].isin(kept) & (measured["operation"] == "train")]["value_per_iteration"]
    assert figure.axes[0].patches[0].get_height() == pytest.approx(energy.mean())
    assert "n = 2" in texts(figure)


def test_without_a_carbon_intensity_there_is_no_co2e(build: Build) -> None:
    figure = SPECS["cost_rows"].draw(build(intensity=None))
    assert len(figure.axes) == 6 and "CO" not in "".join(label for panel in figure.axes for label in labels(panel))


def test_the_node_is_compared_with_the_sum_of_components(build: Build) -> None:
    tables = build(evidence={"cpu": "measured"}, node=True)
    figure = SPECS["meters"].draw(tables)
    assert "first our components cpu (measured), second the whole node (wattmeter)" in texts(figure)
    ratios = [float(y) for line in figure.axes[1].lines[:1] for y in line.get_ydata()]
    assert ratios == pytest.approx([*(tables["runs"]["node_energy_j"] / tables["runs"]["energy_j"])])


def test_a_flagged_training_is_not_the_one_over_time(build: Build) -> None:
    tables = build()
    runs = tables["runs"]
    bad = runs.assign(in_mean=runs["repeat"] > 0, run_flags=runs["run_flags"].where(runs["repeat"] > 0, "throttled"))
    assert "repeat 1 (n = 1)" in SPECS["timeseries"].draw({**tables, "runs": bad}).get_suptitle()
    worst = runs.assign(in_mean=False, run_flags="throttled")
    worse = SPECS["timeseries"].draw({**tables, "runs": worst}).get_suptitle()
    assert "repeat 0 (n = 1)" in worse and "flagged: throttled" in worse


def test_repeats_needed_are_marked_at_the_spreads_seen(build: Build) -> None:
    tables = build(evidence={"cpu": "measured"})
    seen = variation(tables["runs"]).set_index(["operation", "quantity"]).loc[("train", "energy")]
    figure = SPECS["repeats_needed"].draw(tables)
    said = f"train energy, measured, CPU: CV {100 * seen['cv']:.2g} % (f = 18), n = {seen['repeats']}"
    assert said in texts(figure)
    marks = [(*line.get_xdata(), *line.get_ydata()) for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert any(mark == pytest.approx((100 * seen["cv"], seen["repeats"])) for mark in marks)


def test_overflow_bins_are_counted_not_drawn(tables: dict[str, pd.DataFrame]) -> None:
    figure = SPECS["distributions"].draw(tables)
    assert "outside: 11 original,\n11 reconstructed" in texts(figure)
    assert figure.axes[0].get_xlim() == pytest.approx((3, 400))


def test_constant_columns_have_no_error(tables: dict[str, pd.DataFrame]) -> None:
    ticks = [text.get_text() for text in SPECS["column_errors"].draw(tables).axes[0].get_yticklabels()]
    assert "constant" not in ticks and "all" not in ticks and r"odd\$name_" in ticks


def test_names_are_those_of_the_registry_and_differ_within_a_folder() -> None:
    assert [table.name for table in chapters.tables()] == list(TABLES)
    for chapter in CHAPTERS:
        names = [figure.name for figure in chapters.figures_of(chapter)]
        assert names and len(set(names)) == len(names)


def test_a_drawn_figure_has_the_title_of_its_spec(tables: dict[str, pd.DataFrame]) -> None:
    spec = SPECS["contamination"]
    assert spec.draw(tables).get_suptitle().split("\n")[0] == spec.title


def test_each_of_several_datasets_has_a_figure_that_names_it(build: Build) -> None:
    parts = by_dataset(build(second="muons"))
    assert list(parts) == ["jets", "muons"]
    spec = SPECS["cost_rows"]
    title, point = spec.draw(parts["muons"], "muons").get_suptitle().split("\n")[:2]
    assert title == f"{spec.title} (muons)" and "muons" in point and "jets" not in point
    caption = chapters.Captions(lambda: chapters.figures_of("cost"))["muons/cost_rows"]
    assert caption == f"**{spec.title} (muons).** {spec.caption}"


def test_captions_are_plain_restructuredtext() -> None:
    from docutils.core import publish_parts

    for specs in (*map(chapters.figures_of, CHAPTERS), chapters.tables()):
        captions = chapters.Captions(lambda specs=specs: specs)
        for name in (spec.name for spec in specs):
            body = publish_parts(captions[name], writer="html", settings_overrides={"halt_level": 2})["body"]
            assert "<strong>" in body and "{" not in captions[name], name


def test_a_workflow_imports_no_figures_for_titles_and_captions() -> None:
    code = (
        "import sys; from baler_energy.figures import chapters as c;"
        "print(c.chapter_title('cost'), c.Captions(c.tables)); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"matplotlib", "pandas", "numpy", "mplhep", "pyarrow"} & set(done.split())


def test_dataset_reads_lazily_and_names_what_is_wrong(tmp_path: Path, tables: dict[str, pd.DataFrame]) -> None:
    tables["runs"].to_parquet(tmp_path / "runs.parquet")
    (tmp_path / "errors.parquet").write_bytes(b"PAR1 cut off")
    tables["history"].drop(columns="loss").to_parquet(tmp_path / "history.parquet")
    dataset = Dataset(tmp_path)
    assert len(dataset["runs"]) == len(tables["runs"])
    with pytest.raises(InputError, match=r"samples\.parquet: no such file"):
        dataset["samples"]
    with pytest.raises(InputError, match=r"errors\.parquet: not a Parquet file"):
        dataset["errors"]
    with pytest.raises(BalerEnergyError, match="loss"):
        dataset["history"]
    with pytest.raises(KeyError):
        dataset["nonsense"]


def test_losses_of_unlike_batch_sizes_compare(build: Build) -> None:
    tables = build()
    history = tables["history"]
    assert history["batch_size"].nunique() > 1
    tables["history"] = history.assign(loss=0.01 * history["batch_size"], loss_per_value=0.01)
    with styled():
        figure = SPECS["loss_energy"].draw(tables)
    drawn = [line.get_ydata() for line in figure.axes[0].get_lines() if line.get_color() != LINE["color"]]
    assert len(drawn) > 1
    assert all(list(values) == pytest.approx([0.01] * len(values)) for values in drawn)
