"""The GPU over time: what is drawn, for which run and GPU, and what is reported if something is missing."""

from collections.abc import Callable

import matplotlib.colors
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from baler_energy.analysis.thermal import Curve, Rise
from baler_energy.figures.base import NoData
from baler_energy.figures.hotspots.gpu_timeline import FIGURES, draw_gpu_timeline, temperature_words

Build = Callable[..., dict[str, pd.DataFrame]]
Tables = dict[str, pd.DataFrame]
LABELS = ["Power,\nmeasured (W)", "Utilisation\n(%)", "Memory\n(GB)", "Temperature\n(°C)", "Clock\n(GHz)"]


@pytest.fixture(scope="module")
def gpu(build: Build) -> Tables:
    return build(devices=("cpu", "cuda"), evidence={"cpu": "measured", "gpu": "measured"})


def training(tables: Tables, repeat: int = 0) -> "pd.Series[bool]":
    """Rows of the samples of the centre's training on the GPU."""
    samples = tables["samples"]
    at = (samples["rows"] == 30_000) & (samples["batch_size"] == 512) & (samples["epochs"] == 5)
    at &= samples["threads"] == 2
    return at & (samples["operation"] == "train") & (samples["device"] == "cuda") & (samples["repeat"] == repeat)


def without(tables: Tables, quantity: str) -> Tables:
    return {**tables, "samples": tables["samples"][tables["samples"]["quantity"] != quantity]}


def labels(figure: Figure) -> list[str]:
    return [panel.get_ylabel() for panel in figure.axes if panel.get_ylabel()]


def bars(panel: Axes) -> dict[str, tuple[float, float]]:
    """Start and end of the strip's bars by name; each name has one bar."""
    names = [text.get_text() for text in panel.get_yticklabels()]
    found = [c for c in panel.collections if isinstance(c, PolyCollection)]
    spans = [(c.get_paths()[0].vertices[:, 0].min(), c.get_paths()[0].vertices[:, 0].max()) for c in found]
    return dict(zip(names, spans, strict=True))


def test_the_figure_belongs_to_its_chapter(gpu: Tables) -> None:
    (spec,) = FIGURES
    assert "One training on the GPU over time" in spec.draw(gpu).get_suptitle()


def test_every_quantity_of_the_first_repeat_is_drawn(gpu: Tables) -> None:
    figure = draw_gpu_timeline(gpu)
    assert labels(figure) == LABELS
    one = gpu["samples"][training(gpu) & (gpu["samples"]["meter"] == "nvml")]
    factors = {"power": 1.0, "utilisation": 100.0, "memory": 1e-9, "temperature": 1.0, "clock": 1e-9}
    for panel, (quantity, factor) in zip(figure.axes, factors.items(), strict=False):
        part = one[one["quantity"] == quantity].sort_values("time_s")
        assert [*panel.lines[0].get_xdata()] == [*part["time_s"]]
        assert [*panel.lines[0].get_ydata()] == pytest.approx([*(part["value"] * factor)])
    assert [line.get_label() for line in figure.axes[4].lines] == ["SMs", "memory"]
    assert [*figure.axes[4].lines[1].get_ydata()] == pytest.approx([1.593] * len(part))
    assert "repeat 0 (n = 1)" in figure.get_suptitle() and "gpu-0" in figure.get_suptitle()


def test_the_fit_is_drawn_over_the_window_and_reported(gpu: Tables) -> None:
    figure = draw_gpu_timeline(gpu)
    window_s = gpu["samples"].loc[training(gpu), "window_s"].iloc[0]
    fit = figure.axes[3].lines[1]
    assert (fit.get_label(), fit.get_linestyle()) == ("fit", "--")
    assert (fit.get_xdata()[0], fit.get_xdata()[-1]) == (0, pytest.approx(window_s))
    assert fit.get_ydata()[0] == pytest.approx(41.2, abs=1) and fit.get_ydata()[-1] == pytest.approx(62.8, abs=1)
    assert "Temperature: 41 °C at the start, maximum 63 °C; fit (dashed): steady state" in figure.get_suptitle()


def test_a_flat_temperature_has_no_fit_and_a_reason(gpu: Tables) -> None:
    samples = gpu["samples"]
    flat = samples.assign(value=samples["value"].where(samples["quantity"] != "temperature", 50.0))
    figure = draw_gpu_timeline({**gpu, "samples": flat})
    assert len(figure.axes[3].lines) == 1
    said = figure.get_suptitle().replace("\n", " ")
    assert "maximum 50 °C; no fit: it rose by 0 °C, and the sensor's step is 1 °C" in said


def test_reasons_are_bars_over_their_times(gpu: Tables) -> None:
    strip = draw_gpu_timeline(gpu).axes[5]
    found = bars(strip)
    assert list(found) == ["none", "idle", "power cap"]
    window_s = gpu["samples"].loc[training(gpu), "window_s"].iloc[0]
    assert found["none"] == (pytest.approx(0, abs=0.21), pytest.approx(window_s / 2, abs=0.21))
    assert found["power cap"] == (pytest.approx(window_s / 2, abs=0.21), pytest.approx(window_s, abs=0.21))
    colours = {matplotlib.colors.to_hex(c.get_facecolor()[0]) for c in strip.collections}
    assert len(colours) == 3


def test_quantities_that_the_gpu_does_not_report_have_no_panel(gpu: Tables) -> None:
    figure = draw_gpu_timeline(without(gpu, "throttle_reasons"))
    assert labels(figure) == LABELS and len(figure.axes) == 5
    assert "does not report why its clocks are lowered" in figure.get_suptitle()
    cold = draw_gpu_timeline(without(gpu, "temperature"))
    assert labels(cold) == [label for label in LABELS if "Temperature" not in label]
    assert "Temperature" not in cold.get_suptitle()


def test_a_clean_repeat_comes_before_a_flagged_one(gpu: Tables) -> None:
    runs = gpu["runs"]
    good = runs["repeat"] > 0
    bad = {**gpu, "runs": runs.assign(in_mean=good, run_flags=runs["run_flags"].where(good, "throttled"))}
    assert "repeat 1 (n = 1)" in draw_gpu_timeline(bad).get_suptitle()
    worse = draw_gpu_timeline({**gpu, "runs": runs.assign(in_mean=False, run_flags="throttled")}).get_suptitle()
    assert "repeat 0 (n = 1)" in worse and "This run is flagged: throttled." in worse


def test_of_several_gpus_the_busiest_is_drawn(gpu: Tables) -> None:
    other = gpu["samples"][gpu["samples"]["meter"] == "nvml"].assign(component="gpu-1")
    other.loc[other["quantity"] == "power", "value"] *= 2
    both = {**gpu, "samples": pd.concat([gpu["samples"], other], ignore_index=True)}
    figure = draw_gpu_timeline(both)
    assert "gpu-1 (highest power of 2 GPUs)" in figure.get_suptitle().replace("\n", " ")
    assert max(figure.axes[0].lines[0].get_ydata()) > 250


def test_no_gpu_and_no_samples_leave_it_out(gpu: Tables, tables: Tables) -> None:
    with pytest.raises(NoData, match="no run used a GPU"):
        draw_gpu_timeline(tables)
    with pytest.raises(NoData, match="with samples from its driver"):
        draw_gpu_timeline({**gpu, "samples": gpu["samples"][gpu["samples"]["meter"] != "nvml"]})


def test_words_of_a_temperature() -> None:
    curve = Curve(40.0, 61.24, 12.3, 0.45)
    assert temperature_words(Rise(50, 40.0, 60.0, curve)) == (
        "40 °C at the start, maximum 60 °C; fit (dashed): steady state 61.2 °C, time constant (12.30 ± 0.45) s, "
        "standard error from 50 samples"
    )
    assert temperature_words(Rise(5, 40.0, 60.0, reason="too few")).endswith("maximum 60 °C; no fit: too few")
