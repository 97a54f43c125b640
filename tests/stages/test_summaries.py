"""What a stage prints when it has succeeded: a line or three of what was found."""

import json
import re
import runpy
from datetime import UTC, datetime

import pytest

from baler_energy.data.table import Table
from baler_energy.figures import chapters
from baler_energy.records import Contamination, Measurement, Reading, Window
from baler_energy.stages import figures as stage_figures
from baler_energy.stages import report as stage_report
from baler_energy.stages import tables as stage_tables
from baler_energy.stages.summaries import measured_summary
from baler_energy.vocabulary import Evidence, Flag, MeterName, Operation, Quantity


@pytest.fixture
def said(capsys):
    """Return a function that returns the lines printed so far, without notes on the load of this machine."""

    def lines():
        return [line for line in capsys.readouterr().out.splitlines() if not line.startswith("note: contaminated")]

    return lines


def energy(meter, component, value, evidence):
    return Reading.of(meter, component, Quantity.ENERGY, value, evidence, None if value else "no counter")


def record(*readings, flags=()):
    return Measurement(
        run_id="run",
        operation=Operation.TRAIN,
        parameters={"device": "cpu"},
        iterations=2,
        window=Window(start=datetime(2026, 1, 1, tzinfo=UTC), duration_s=8.0),
        readings=readings,
        idle=None,
        contamination=Contamination(fraction=0.0, other_cpu_s=0.0, logical_cpus=1),
        flags=flags,
        provenance={},
    )


def test_measured_and_modelled_energies_are_listed_and_not_added(tmp_path):
    readings = [
        energy(MeterName.RAPL, "cpu", 40.0, Evidence.MEASURED),
        energy(MeterName.RAPL, "package-0", 40.0, Evidence.MEASURED),
        energy(MeterName.CODECARBON, "ram", 10.0, Evidence.MODELLED),
    ]
    text = measured_summary(tmp_path / "x", "facts", record(*readings))
    costs = "train: 4 s, 20 J measured (cpu), 5 J modelled (ram); mean of 2 runs in the window"
    assert text.splitlines() == [f"{tmp_path / 'x'}: facts", costs]


def test_a_missing_energy_is_not_zero_and_a_disturbed_window_has_a_note(tmp_path):
    flags = (Flag.BELOW_RESOLUTION, Flag.MODELLED_ONLY)
    text = measured_summary(
        tmp_path, "facts", record(energy(MeterName.RAPL, "cpu", None, Evidence.MEASURED), flags=flags)
    )
    _, costs, note = text.splitlines()
    assert costs == "train: 4 s, energy not known: see `baler-energy doctor`; mean of 2 runs in the window"
    assert note == f"note: below_resolution: {Flag.BELOW_RESOLUTION.meaning}"


def test_tables(stage, tmp_path, said):
    shard, table = tmp_path / "shard.npz", tmp_path / "table.npz"
    stage("generate", "--source", "toy", "--rows", 300, "--seed", 1, "--out", shard)
    size = Table.read(shard).native_bytes
    assert said() == [f"{shard}: 300 rows, 24 columns of toy data, {size:,} B in their own number types"]
    stage("prepare", "--input", shard, "--generated", "--rows", 200, "--held-out", 0.2, "--out", table)
    assert said() == [
        f"{table}: 200 rows, 24 columns of toy data, {size // 3 * 2:,} B in their own number types",
        f"{tmp_path / 'held-out.npz'}: 40 other rows, for errors only",
    ]


@pytest.mark.parametrize(
    ("codec", "facts"),
    [
        (("--epochs", 1), r"12 latents; loss \S+ after 1 epoch"),
        (("--epochs", 2), r"12 latents; loss \S+ after 2 epochs"),
        (("--transform", "pca"), "12 latents"),
    ],
)
def test_a_training(stage, pipeline, tmp_path, said, codec, facts):
    stage("train", "--data", pipeline.table, *codec, "--out", tmp_path)
    what, costs = said()
    assert re.fullmatch(f"{re.escape(str(tmp_path))}/checkpoint.pt: 300 rows, 24 columns, {facts}", what)
    assert costs.startswith("train: ") and costs.endswith("; 1 run")


@pytest.mark.parametrize(("packing", "smaller"), [("none", False), ("quantise-0.01+pcodec", True)])
def test_compression_says_whether_it_compresses(stage, pipeline, tmp_path, said, packing, smaller):
    codec = ("--checkpoint", pipeline.checkpoint, "--epochs", 2, "--packing", packing)
    stage("apply", "--data", pipeline.table, *codec, "--out", tmp_path)
    compressed, first, reconstructed, second, errors = said()
    size, native = (tmp_path / "compress" / "table.baler").stat().st_size, Table.read(pipeline.table).native_bytes
    model = pipeline.checkpoint.stat().st_size
    larger = "" if smaller else " (no smaller than the data)"
    assert compressed == (
        f"{tmp_path}/compress/table.baler: 300 rows, {native:,} B in their own number types, compressed to {size:,} B: "
        f"ratio {native / size:.3g}{larger}; the model takes another {model:,} B"
    )
    assert (size < native) == smaller
    assert reconstructed == f"{tmp_path}/decompress/reconstructed.npz: 300 rows, 24 columns"
    assert first.startswith("compress: ") and second.startswith("decompress: ")
    found = json.loads((tmp_path / "evaluate" / "summary.json").read_text())
    range_percent, deviation_percent = (100 * found[name] for name in ("mean_rms_over_range", "mean_nrmse"))
    words = f"mean RMS error {range_percent:.3g} % of the range, {deviation_percent:.3g} % of the standard deviation"
    assert errors.startswith(f"{tmp_path}/evaluate/summary.json: {words}; ratio {native / size:.3g}")
    assert ("worse than their mean" in errors) == (found["columns_worse_than_mean"] > 0)


def test_compression_and_reconstruction_alone(stage, pipeline, tmp_path, said):
    codec = ("--checkpoint", pipeline.checkpoint, "--epochs", 2)
    stage("compress", "--data", pipeline.table, *codec, "--out", tmp_path / "c")
    stage("decompress", "--compressed", pipeline.compressed, *codec, "--out", tmp_path / "d")
    stage("forward", "--data", pipeline.table, *codec, "--out", tmp_path / "f")
    lines = said()
    assert [line.split(":")[0] for line in lines] == [
        *(f"{tmp_path}/c/table.baler", "compress"),
        *(f"{tmp_path}/d/reconstructed.npz", "decompress"),
        *(f"{tmp_path}/f/counts.json", "forward"),
    ]


def test_figures_tables_and_report(tmp_path, repository, monkeypatch, said):
    some = [figure for figure in chapters.figures_of("cost") if figure.name in ("loss_epochs", "co2e_hours")]
    monkeypatch.setattr(stage_figures, "figures_of", lambda chapter: some)
    few = [table for table in chapters.tables() if table.name in ("flagged", "glossary", "runtimes")]
    monkeypatch.setattr(chapters, "tables", lambda: few)
    write = runpy.run_path(str(repository / "tests" / "figures" / "conftest.py"))["write_dataset"]
    dataset = write(tmp_path / "dataset", flags="contaminated")
    stage_figures.figures(dataset, "cost", tmp_path / "cost")
    assert said() == [f"{tmp_path}/cost: 1 figure, 1 left out: {tmp_path}/cost/left_out.json"]
    stage_tables.tables(dataset, tmp_path / "tables")
    assert said() == [f"{tmp_path}/tables: 2 tables, 1 without rows: {tmp_path}/tables/left_out.json"]
    stage_report.report(dataset, [], tmp_path / "overview.rst")
    assert said() == [
        f"{tmp_path / 'overview.rst'}: first page of baler-energy study laptop: 27 runs with 81 records, 1 of them "
        "flagged"
    ]
