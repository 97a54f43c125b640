"""Imported results and ours: the meaning of a mark, and lines of constant power."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from baler_energy.analysis.schema import arrow_schema
from baler_energy.figures.base import NoData
from baler_energy.figures.style import styled
from baler_energy.figures.trust.foreign import draw_foreign
from baler_energy.foreign import read_foreign
from baler_energy.foreign.own import OWN

Tables = dict[str, pd.DataFrame]


def rows(meter: str, duration_s: float, **energies: tuple[float | None, str]) -> list[dict[str, object]]:
    """Return the readings of one window; energy and evidence by component."""
    about = {"meter": meter, "file": "f", "duration_s": duration_s}
    found = [about | {"quantity": "duration", "component": "machine", "value": duration_s, "evidence": "measured"}]
    for component, (value, evidence) in energies.items():
        found.append(about | {"quantity": "energy", "component": component, "value": value, "evidence": evidence})
    return found


def tables_of(tables: Tables, readings: list[dict[str, object]], powers: tuple[float, ...] = ()) -> Tables:
    foreign = pd.DataFrame(readings, columns=arrow_schema("foreign").names)
    findings = pd.DataFrame({"finding": "constant_total", "value": powers}, columns=arrow_schema("findings").names)
    return {**tables, "foreign": foreign, "findings": findings}


def draw(tables: Tables) -> Figure:
    with styled():
        figure = draw_foreign(tables)
        FigureCanvasAgg(figure).draw()
    return figure


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def marks(figure: Figure, marker: str) -> list[tuple[float, float, str]]:
    found = [line for line in figure.axes[0].lines if line.get_marker() == marker]
    return [(x, y, str(line.get_fillstyle())) for line in found for x, y in zip(*line.get_data(), strict=True)]


def test_sums_scope_and_evidence_of_each_window(tables: Tables) -> None:
    mixed = {"cpu": (40.0, "modelled"), "gpu": (60.0, "measured"), "machine": (100.0, "modelled")}
    readings = [*rows("codecarbon", 2.0, **mixed), *rows("zeus", 3.0, gpu=(9.0, "measured"))]
    readings += rows("codecarbon", 2.0, cpu=(7.0, "modelled"), gpu=(None, "measured"), machine=(7.0, "modelled"))
    readings += rows("pyjoules", 5.0, **{"package-0": (10.0, "measured"), "package-1": (20.0, "measured")})
    cores = {"package-0": (40.0, "measured"), "core-0": (30.0, "measured"), "uncore-0": (3.0, "measured")}
    readings += rows("pyjoules", 6.0, **cores)
    # Of two packages, one was not read.
    readings += rows("pyjoules", 7.0, **{"package-0": (10.0, "measured"), "package-1": (None, "measured")})
    # Of a sum, a part was not read.
    readings += rows("codecarbon", 8.0, cpu=(7.0, "modelled"), gpu=(None, "measured"), machine=(None, "modelled"))
    readings += rows("eco2ai", 4.0, machine=(8.0, "modelled"))
    figure = draw(tables_of(tables, readings))
    said = legend(figure)
    assert "codecarbon: cpu+gpu, measured and modelled, n = 1" in said
    assert "codecarbon: cpu, modelled, n = 1" in said
    assert "eco2ai: machine, modelled, n = 1" in said
    assert "pyjoules: package, measured, n = 2" in said
    assert "zeus: gpu, measured, n = 1" in said
    assert sorted(marks(figure, "v")) == [(2.0, 7.0, "none"), (2.0, 100.0, "left")]
    assert marks(figure, "P") == [(5.0, 30.0, "full"), (6.0, 40.0, "full")]
    assert "n = 6 imported and 81 of this study" in figure.get_suptitle()


def test_our_runs_are_drawn_with_them_by_operation_and_evidence(tables: Tables) -> None:
    figure = draw(tables_of(tables, rows("zeus", 3.0, gpu=(9.0, "measured"))))
    runs = tables["runs"]
    for operation in ("train", "compress", "decompress"):
        count = int((runs["operation"] == operation).sum())
        assert f"this study, {operation}: cpu+ram, modelled, n = {count}" in legend(figure)
    drawn = {y for line in figure.axes[0].lines if line.get_marker() == "o" for y in np.asarray(line.get_ydata())}
    assert drawn == set(runs.loc[runs["operation"] == "train", "energy_j"])
    alone = draw(tables_of({**tables, "runs": runs.iloc[:0]}, rows("zeus", 3.0, gpu=(9.0, "measured"))))
    assert "n = 1 imported and 0 of this study" in alone.get_suptitle()


def test_a_constant_power_has_a_dashed_line_and_its_label(tables: Tables) -> None:
    figure = draw(tables_of(tables, rows("codecarbon", 3.0, cpu=(33.0, "modelled")), powers=(11.0,)))
    assert "11.0 W: all energy of a host is this power" in legend(figure)
    dashed = [line for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    assert len(dashed) == 1
    assert np.asarray(dashed[0].get_ydata()) / np.asarray(dashed[0].get_xdata()) == pytest.approx([11, 11])
    labels = [text.get_text() for text in figure.axes[0].texts]
    assert "11 W" in labels and "10 W" not in labels and "100 W" in labels


def test_nothing_imported_leaves_the_figure_out(tables: Tables) -> None:
    with pytest.raises(NoData, match="were imported"):
        draw(tables_of(tables, []))
    with pytest.raises(NoData, match="were imported"):
        draw(tables_of(tables, rows("zeus", 3.0, gpu=(None, "measured"))))


def test_the_published_results_draw_without_overlap(tables: Tables, published: list[Path]) -> None:
    foreign, findings = read_foreign(published)
    figure = draw({**tables, "foreign": foreign, "findings": findings})
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    panel = figure.axes[0]
    shown = [*panel.texts, panel.xaxis.label, panel.yaxis.label, *figure.legends[0].get_texts(), figure._suptitle]  # type: ignore[attr-defined]
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in shown]
    for number, (text, box) in enumerate(boxes):
        assert box.x0 > -2 and box.x1 < figure.bbox.width + 2, f"{text!r} leaves the figure"
        for other, against in boxes[number + 1 :]:
            assert not box.padded(-2).overlaps(against), f"{text!r} overlaps {other!r}"


def test_a_finding_about_our_own_readings_is_no_line_among_imported_ones(tables: Tables) -> None:
    ours = tables_of(tables, rows("codecarbon", 3.0, cpu=(33.0, "modelled")), powers=(11.0,))
    ours["findings"] = ours["findings"].assign(file=OWN)
    figure = draw(ours)
    assert not [line for line in figure.axes[0].lines if line.get_linestyle() == "--"]
    assert not [text for text in legend(figure) if "11.0 W" in text]
