"""A whole study on the simulated machine, whose power follows the load by a curve that the test sets.

Its energies are known, so every chapter of the report is checked in its measured form; all of it says "simulated".
"""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text
from simulator.curves import Curve
from simulator.machine import Truth
from simulator.nvml import compiler
from simulator.run import namespaces_work, run_on, server
from simulator.scenarios import distance

from baler_energy.analysis.cost_metrics import METRICS, advice, cost_metrics
from baler_energy.analysis.law import laws
from baler_energy.figures.base import Dataset
from baler_energy.figures.chapters import figures_of, tables
from baler_energy.figures.readable import notes
from baler_energy.records import Measurement
from baler_energy.vocabulary import Flag, Quantity

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(compiler() is None, reason="there is no C compiler for the simulated NVML"),
    pytest.mark.skipif(not namespaces_work(), reason="a study reads /sys/class, where nothing can be mounted here"),
]

POWER = Curve("load", 20.0, 80.0)
LABEL = "energies of a simulated machine"
#: Longest time (s) by which a busy machine may delay a window's edge after the counter was read. The median is checked
#: without it.
DELAY_S = 0.5
STUDY = {
    "name": "simulated",
    "repeats": 2,
    "data": {"toy": {"source": "toy", "shard_rows": 8000}},
    "design": "one-at-a-time",
    "reference": {"dataset": "toy", "rows": 2000, "epochs": 2, "batch_size": 512, "threads": 1, "device": "cpu"},
    "axes": {
        "rows": [1000, 6000],
        "epochs": [4],
        "batch_size": [128],
        "model": ["baler-small", "baler-x0.5"],
        "engine": ["fast"],
    },
    "also": [
        {"transform": "identity", "packing": f"quantise-{step}+pcodec", "threads": 1, "device": "cpu"}
        for step in (0.1, 0.4)
    ],
    "measurement": {
        "meters": ["rapl", "codecarbon", "process", "sampler"],
        "min_window_s": 0.2,
        "idle_s": 0.5,
        "idle_lifetime_s": 3600,
        "sample_interval_s": 0.05,
        "calibrate_s": 1,
        "contamination_limit": 1,  # the power follows the load of this machine's processes alone
    },
    "profile": {
        "points": [{"rows": 2000, "epochs": 2, "batch_size": 512, "model": "baler", "engine": "reference"}],
        "profilers": ["parts"],
    },
    "peers": {"cpu_tdp_w": 65},
}
#: Figures that each chapter has to have, among others.
FIGURES = {
    "cost": {"cost_epochs", "cost_rows", "cost_batch_size", "co2e_countries", "loss_energy"},
    "hotspots": {"components", "whole", "parts", "roofline"},
    "trust": {"calibration", "iterations", "meters", "spread", "repeats_needed", "timeseries"},
    "worth": {"codec_costs", "rate_distortion", "scorecard", "error_energy", "break_even_years"},
    "savings": {"engines", "error_joules", "forward", "error_flops"},
    "forecast": {"predicted", "cost_metrics"},
}


@pytest.fixture(scope="module")
def study(make_workspace, tmp_path_factory) -> tuple[Path, Truth, float]:
    """Run the study; return its results, the true energies, and what the wall clock is ahead of the monotonic one."""
    workspace, state = make_workspace(), tmp_path_factory.mktemp("machine")
    command = [sys.executable, "-m", "baler_energy.cli", "study", "--configfile", str(workspace.study(**STUDY))]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in workspace.environment.items():
            patch.setenv(name, value)
        options = {"cwd": workspace.root, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        done = run_on(server([POWER]), state, command, **options)
    assert done.returncode == 0, done.stdout
    return workspace.root / "results" / "simulated", Truth(state), time.time() - time.monotonic()


@pytest.fixture(scope="module")
def records(study) -> list[Measurement]:
    """Return the records with energies: a busy machine may let a simulated counter wait, as if it had failed."""
    found = [Measurement.read(path) for path in sorted((study[0] / "runs").rglob("measurement.json"))]
    kept = [record for record in found if Flag.COUNTER_FAULT not in record.flags]
    assert len(found) >= 50 and len(kept) > len(found) / 2
    return kept


@pytest.fixture(scope="module")
def dataset(study) -> Dataset:
    return Dataset(study[0] / "dataset")


@pytest.fixture(scope="module")
def runs(records, dataset) -> pd.DataFrame:
    """Return the dataset's rows of `records`."""
    kept, table = {(record.run_id, record.operation.value) for record in records}, dataset["runs"]
    return table[[key in kept for key in zip(table["run_id"], table["operation"], strict=True)]]


def bounds_j(study: tuple[Path, Truth, float], record: Measurement, name: str, delay_s: float) -> tuple[float, float]:
    """Return the least and largest true energy (J) of a counter in a record's window."""
    _, truth, ahead_s = study
    folder = next(counter.folder for counter in truth.machine.counters if counter.name == name)
    begin_s = record.window.start.timestamp() - ahead_s
    end_s = begin_s + record.window.duration_s
    return truth.counter_bounds_j(folder, (begin_s - delay_s, begin_s, end_s, end_s + delay_s))


def energy_of(record: Measurement, component: str) -> tuple[float, float]:
    """Return the energy (J) that our meter read of a component, and the bound of its error."""
    (found,) = (
        reading
        for reading in record.readings
        if (reading.meter, reading.component, reading.quantity) == ("rapl", component, Quantity.ENERGY)
    )
    assert found.value is not None and found.bound is not None, found.reason
    return found.value, found.bound


def test_the_energy_of_every_run_is_the_integral_of_the_curve(study, records):
    for name, component in (("package-0", "package-0"), ("dram", "dram-0")):
        deviations = []
        for record in records:
            value, bound = energy_of(record, component)
            assert distance(value, bounds_j(study, record, name, DELAY_S)) <= bound, record.run_id
            deviations.append(distance(value, bounds_j(study, record, name, 0.0)) / value)
        assert median(deviations) < 0.005


def test_the_power_follows_the_load(records):
    for record in records:
        value, _ = energy_of(record, "package-0")
        power_w = value / record.window.duration_s
        assert 1.05 * POWER.low_w < power_w <= 1.01 * POWER.high_w, record.run_id


def test_every_run_is_measured_and_says_that_it_is_simulated(records, runs):
    assert all(Flag.SIMULATED in record.flags for record in records)
    assert set(runs["energy_evidence"]) == {"measured"} and set(runs["energy_scope"]) == {"cpu+dram"}
    assert runs["in_mean"].all() and set(runs["run_notes"]) == {"simulated"}
    assert runs["dynamic_energy_j"].notna().all()


@pytest.mark.parametrize("chapter", FIGURES)
def test_every_chapter_has_its_figures_in_measured_form_and_each_says_simulated(study, dataset, chapter):
    drawn = {path.stem for path in (study[0] / "figures" / chapter).glob("*.svg")}
    assert drawn >= FIGURES[chapter], (study[0] / "figures" / chapter / "left_out.json").read_text()
    for spec in figures_of(chapter):
        if spec.name in drawn:
            figure = spec.draw(dataset)
            assert LABEL in figure.get_suptitle().replace("\n", " "), spec.name
            shown = " ".join(text.get_text() for text in figure.findobj(Text))
            assert "Energy is modelled" not in shown and "modelled energy" not in shown, spec.name


def test_the_first_page_and_every_table_say_simulated(study, dataset):
    results = study[0]
    page = (results / "overview.rst").read_text()
    assert "MEASURED: the energy of all" in page and "a simulated machine, whose power is set by a program" in page
    assert f"**{LABEL.upper()}.**" in page and (results / "report.html").is_file()
    for spec in tables():
        assert f"{LABEL.capitalize()}." in notes(spec, spec.make(dataset), dataset), spec.name


def test_metrics_rank_as_by_the_known_energy(study, records, dataset, runs):
    known_j = {
        (record.run_id, record.operation.value): sum(
            np.mean(bounds_j(study, record, name, 0.0)) / record.iterations for name in ("package-0", "dram")
        )
        for record in records
    }
    energies = [known_j[key] for key in zip(runs["run_id"], runs["operation"], strict=True)]
    both = ({**dataset, "runs": one} for one in (runs, runs.assign(energy_j=energies)))
    found, true = (cost_metrics(one).set_index(["operation", "metric"]) for one in both)
    assert set(found["quantity"]) == {"energy"} and set(found.index.get_level_values("metric")) == set(METRICS)
    for name in ("rank_correlation", "proportional", "power"):
        pd.testing.assert_series_equal(found[name], true[name], atol=0.1, rtol=0.1)
    train = true.loc["train"]
    assert train["rank_correlation"]["cpu_time_s"] > 0.8 > train["rank_correlation"]["parameters"]
    deviation = train[["proportional", "power"]].min(axis=1)
    assert deviation["cpu_time_s"] < deviation[["macs", "rows_passed", "byte", "parameters"]].min()
    assert "so from the energy itself" in train["reason"]["strubell"]
    assert train["reason"]["codecarbon_j"] == "no run has a value", "codecarbon read the counters itself"
    assert advice(found.reset_index())


def test_a_law_of_the_simulated_machine_is_called_so(dataset):
    found = laws(dataset["runs"])
    assert {"train", "compress", "decompress"} <= {law.about["operation"] for law in found}
    for law in found:
        assert law.about["machine"].endswith(", simulated") and law.evidence == "measured"
        assert law.costs.static_power_w is not None
