"""What ``collect`` refuses: files of another run in a point's folder, and values that cannot be."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from collected import Results, edited, make

from baler_energy.analysis import tidy
from baler_energy.analysis.schema import TABLES
from baler_energy.cli import main
from baler_energy.config.study import load_study
from baler_energy.errors import InputError
from baler_energy.profilers.hotspots import Hotspot, write_hotspots
from baler_energy.stages import collect
from baler_energy.stages.run_files import read_hotspots

#: Numbers of the study's points: the reference in two repeats, then transform identity, engine fast, and epochs 1.
REPEAT, TRANSFORM, ENGINE, EPOCHS = 1, 2, 4, 6
RECORD = "measurement.json"


@pytest.fixture(scope="module")
def finished(stage: Callable[..., None], tmp_path_factory: pytest.TempPathFactory) -> Results:
    return make(stage, tmp_path_factory.mktemp("finished"))


@pytest.fixture
def results(finished: Results, tmp_path: Path) -> Results:
    """Return a copy of the finished study, which a test may change."""
    shutil.copytree(finished.folder, tmp_path / "results")
    return replace(finished, folder=tmp_path / "results")


def refused(results: Results, *words: str) -> str:
    """Collect, which must be refused without half a dataset; return the message, which has these words."""
    with pytest.raises(InputError) as caught:
        results.collect()
    assert not list((results.folder / "dataset").glob("*")) and "\n" not in str(caught.value)
    for word in words:
        assert word in str(caught.value), caught.value
    return str(caught.value)


def test_the_study_as_it_was_measured_is_collected(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    runs = pd.read_parquet(results.collect() / "runs.parquet")
    readings = pq.ParquetFile(results.folder / "dataset" / "measurements.parquet").metadata.num_rows
    counts = f"{len(TABLES)} tables of {len(runs)} records with {readings} readings"
    assert capsys.readouterr().out == f"{results.folder / 'dataset'}: {counts}\n"
    assert len(runs) == 6 * 3 + 2 * 2 and set(runs["energy_evidence"]) == {"modelled"}
    assert pq.ParquetFile(results.folder / "dataset" / "runs.parquet").metadata.num_rows == len(runs)
    assert runs["in_mean"].dtype == runs["at_reference"].dtype == bool
    # The reference in two repeats.
    assert runs.loc[runs["at_reference"], "run_id"].nunique() == 2 and (runs["at_reference"] == runs["at_centre"]).all()
    assert (runs["in_mean"] == runs["run_flags"].isna()).all() and "modelled_only" not in set(runs["run_flags"])
    native = (runs["ratio_native_bytes"] * runs["compressed_bytes"]).to_numpy()
    assert runs["native_bytes"].to_numpy() == pytest.approx(native)
    assert runs["energy_j_per_mb"].to_numpy() == pytest.approx((runs["energy_j"] / native * 1e6).to_numpy())


def test_embodied_emissions_price_and_intensity_are_collected(results: Results) -> None:
    stated = {"machine_co2e_kg": 1200, "lifetime_years": 4, "citation": "data sheet"}
    rates = {"carbon_intensity_g_per_kwh": 100, "price_per_kwh": 0.25, "currency": "CHF", "embodied": stated}
    study = load_study(results.study.model_dump(mode="json", exclude_unset=True) | rates)
    dataset = replace(results, study=study).collect()
    runs, table = (pd.read_parquet(dataset / f"{name}.parquet") for name in ("runs", "summary"))
    kwh, gigabytes = runs["energy_j"] / 3.6e6, runs["native_bytes"] / 1e9
    made = 1200 * runs["duration_s"] / (4 * 365.25 * 86400)
    assert runs["embodied_co2e_kg"].to_numpy() == pytest.approx(made.to_numpy())
    assert runs["sci_kg_per_gb"].to_numpy() == pytest.approx(((0.1 * kwh + made) / gigabytes).to_numpy())
    assert runs["electricity_cost"].to_numpy() == pytest.approx((0.25 * kwh).to_numpy())
    # These tiny runs may all be flagged.
    for name in ("sci{}_kg_per_gb", "electricity{}_cost"):
        of_all = table[name.format("")].fillna(table[name.format("_flagged_low")])
        assert of_all.notna().all() and (of_all > 0).all()
    assert set(runs["embodied_source"]) == {"1200 kg over 4 years, reserved share 1 (data sheet)"}


def test_the_summary_averages_the_runs_that_count(results: Results) -> None:
    for path in results.folder.glob("runs/**/measurement.json"):
        edited(path, "flags", ["modelled_only"])
    edited(results.run(REPEAT) / "train" / RECORD, "flags", ["contaminated", "modelled_only"])
    dataset = results.collect()
    runs, table = (pd.read_parquet(dataset / f"{name}.parquet") for name in ("runs", "summary"))
    counted = runs[runs["in_mean"] & runs["at_reference"]]
    found = table[table["at_reference"]].set_index("operation")
    assert len(table) == 3 * 3 + 2 and found["n"].to_dict() == {"train": 1, "compress": 2, "decompress": 2}
    assert found["run_flags"].dropna().to_dict() == {"train": "contaminated"}
    for operation, part in counted.groupby("operation"):
        assert found.loc[operation, "energy_j"] == pytest.approx(part["energy_j"].mean())


def test_threads_that_differ_between_machines_are_not_one_reference(results: Results) -> None:
    path = results.run(REPEAT)
    for operation in ("train", "compress", "decompress"):
        edited(path / operation / RECORD, "parameters.threads", 64)
    runs = pd.read_parquet(results.collect() / "runs.parquet")
    assert runs["at_centre"].sum() == 6 and set(runs.loc[runs["at_reference"], "threads"]) == {64}


def test_what_the_studys_own_energies_show_is_a_finding(results: Results) -> None:
    for number in range(len(results.points)):
        for path in results.run(number).glob("*/measurement.json"):
            length_s = 1.0 + 0.2 * number
            edited(path, "window.duration_s", length_s)
            content = json.loads(path.read_text())
            ram = next(n for n, reading in enumerate(content["readings"]) if reading["component"] == "ram")
            edited(path, f"readings.{ram}.value", 20.0 * length_s)
    dataset = results.collect()
    (found,) = pd.read_parquet(dataset / "findings.parquet").to_dict("records")
    assert (found["finding"], found["file"], found["unit"]) == ("constant_power", "measurements.parquet", "W")
    assert found["value"] == pytest.approx(20.0) and "RAM energy is 20.0 W times duration" in found["sentence"]


@pytest.mark.parametrize("flags", [["", "modelled_only", "contaminated,modelled_only"], [None, None, "contaminated"]])
def test_loops_have_what_is_wrong_with_them_whenever_they_were_measured(flags: list[Any], tmp_path: Path) -> None:
    about = {"run_id": "r", "operation": "train", "profiler": "parts", "epochs": 1, "source": "toy"}
    loops = [Hotspot(kind="layer", name="x", flags=one) for one in flags]
    write_hotspots(tmp_path / "hotspots.parquet", about, loops)
    constants = {"run_id": "r"} | dict.fromkeys(tidy.POINT_KEYS)
    table = read_hotspots(tmp_path / "hotspots.parquet", constants, "train", "parts")
    assert "flags" not in table.column_names and table["run_flags"].to_pylist() == [None, None, "contaminated"]


@pytest.mark.parametrize(
    ("number", "operation", "key"),
    [
        (REPEAT, "train", "run_id"),
        (EPOCHS, "train", "run_id"),
        (ENGINE, "compress", "run_id"),
        (TRANSFORM, "decompress", "run_id"),
    ],
)
def test_a_record_of_another_run_is_refused(results: Results, number: int, operation: str, key: str) -> None:
    target = results.run() / operation / RECORD
    shutil.copy(results.run(number) / operation / RECORD, target)
    refused(results, f"{target}: {key}: is ", "belongs to another run")


def test_a_record_of_another_operation_is_refused(results: Results) -> None:
    target = results.run() / "compress" / RECORD
    shutil.copy(results.run() / "decompress" / RECORD, target)
    refused(results, f'{target}: operation: is "decompress", but should be "compress"')


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("parameters.rows", 119),
        ("parameters.epochs", 3),
        ("parameters.engine", "fast"),
        ("parameters.batch_size", 65),
        ("parameters.learning_rate", 0.5),
        ("parameters.repeat", True),
        ("parameters.seed", 2),
        ("parameters.source", "file"),
        ("parameters.shuffle", True),
        ("parameters.threads", "auto"),
        ("parameters.device", 5),
        ("parameters.columns", 0.5),
        ("parameters.latent_columns", 10**30),
        ("readings.0.meter", "rapl"),
        ("readings.0.value", -5),
        ("readings.0.value", b"1e999"),
        ("readings.0.value", 1e9),
        ("readings.0.bound", -1),
        ("readings.0.evidence", "guessed"),
        ("readings.0.evidence", "unknown"),
        ("window.duration_s", -1),
        ("window.duration_s", b"NaN"),
        ("window.duration_s", 1e300),
        ("window.start", "2026-01-01T00:00:00"),
        ("iterations", 0),
        ("iterations", 10**400),
        ("contamination.fraction", -0.1),
        ("contamination.logical_cpus", 0),
        ("results.final_loss", -1),
        ("results.final_loss", "small"),
        ("results.epochs_run", 2.5),
        ("results.parameters", 10**400),
        ("provenance.machine.hostname", 5),
        ("provenance.machine.gpus", [{"uuid": "x"}]),
        ("provenance.machine", {}),
        ("provenance.slurm", {"cpus": -1}),
    ],
)
def test_an_impossible_value_of_a_record_is_refused_by_its_key(results: Results, key: str, value: Any) -> None:
    path = results.run() / "train" / RECORD
    edited(path, key, value)
    refused(results, f"{path}: ", key.replace("provenance.machine.gpus", "provenance.machine.gpus.0.name"))


def test_evidence_that_contradicts_the_flags_is_refused(results: Results) -> None:
    path = results.run() / "train" / RECORD
    edited(path, "readings.0.evidence", "measured")
    refused(results, f"{path}: flags: is ", "its energies are measured and modelled")


def test_a_dynamic_part_of_a_modelled_energy_is_refused(results: Results) -> None:
    path = results.run() / "train" / RECORD
    edited(path, "readings.0.quantity", "dynamic_energy")
    refused(results, f"{path}: readings.0.evidence: is ")


def test_the_same_reading_twice_is_refused(results: Results) -> None:
    path = results.run() / "train" / RECORD
    edited(path, "readings.1.component", "cpu")
    refused(results, f"{path}: readings.1: is ", "was read before")


def test_operations_on_different_tables_are_refused(results: Results) -> None:
    path = results.run() / "decompress" / RECORD
    edited(path, "parameters.columns", 23)
    refused(results, f"{path}: parameters.columns: is 23, but {results.run() / 'train' / RECORD} has 24")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("compressed_bytes", -5),
        ("compressed_bytes", 5),
        ("mean_rms_over_range", b"Infinity"),
        ("mean_rms_over_range", "small"),
        ("columns_worse_than_mean", 0.5),
        ("window_start", "2026-01-01T00:00:00+00:00"),
    ],
)
def test_an_impossible_value_of_the_errors_is_refused_by_its_key(results: Results, key: str, value: Any) -> None:
    path = results.run() / "evaluate" / "summary.json"
    edited(path, key, value)
    refused(results, f"{path}: {key}: is ")


def test_a_negative_explained_variance_and_large_counts_are_not_impossible(results: Results) -> None:
    edited(results.run() / "evaluate" / "summary.json", "mean_explained_variance", -3.5)
    # Beyond 2^53, where not every whole number is a float64.
    edited(results.run() / "train" / RECORD, "results.flops", 2**53 + 1)
    runs = pd.read_parquet(results.collect() / "runs.parquet")
    assert -3.5 in set(runs["mean_explained_variance"]) and 2.0**53 in set(runs["flops"])


@pytest.mark.parametrize(
    "name",
    [
        "train/history.parquet",
        "train/samples.parquet",
        "evaluate/summary.json",
        "evaluate/errors.parquet",
        "evaluate/histograms.parquet",
        "derive/derived.parquet",
        "derive/derived_histograms.parquet",
    ],
)
@pytest.mark.parametrize("number", [REPEAT, EPOCHS, ENGINE])
def test_another_file_of_another_run_is_refused(results: Results, name: str, number: int) -> None:
    shutil.copy(results.run(number) / name, results.run() / name)
    refused(results, f"{results.run() / name}: ", "window_start", "belongs to another run")


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("train/history.parquet", "loss", -1.0),
        ("train/history.parquet", "loss", float("inf")),
        ("train/history.parquet", "duration_s", -1.0),
        ("train/history.parquet", "epoch", 7),
        ("train/history.parquet", "epoch", 1.5),
        ("train/history.parquet", "energy_j:rapl/cpu", -1.0),
        ("train/samples.parquet", "value", float("inf")),
        ("train/samples.parquet", "value", "text"),
        ("train/samples.parquet", "evidence", "guessed"),
        ("evaluate/errors.parquet", "range", -1.0),
        ("evaluate/errors.parquet", "zero_count", -1),
        ("evaluate/histograms.parquet", "count", -1),
        ("derive/derived.parquet", "ks_distance", -1.0),
        ("derive/derived_histograms.parquet", "low", float("-inf")),
    ],
)
def test_an_impossible_value_of_a_table_is_refused_by_its_column(
    results: Results, name: str, column: str, value: Any
) -> None:
    path = results.run() / name
    frame = pd.read_parquet(path)
    values = frame[column].tolist() if column in frame else [0.0] * len(frame)
    frame[column] = [*values[:-1], value] if not isinstance(value, str) or column == "evidence" else "text"
    frame.to_parquet(path, index=False)
    said = refused(results, f"{path}: ")
    assert column.partition(":")[0] in said


@pytest.mark.parametrize("column", ["loss", "epoch", "duration_s"])
def test_a_missing_column_is_named(results: Results, column: str) -> None:
    path = results.run() / "train" / "history.parquet"
    pd.read_parquet(path).drop(columns=column).to_parquet(path)
    refused(results, f"{path}: has no column '{column}'")


def test_a_history_that_names_no_run_is_compared_with_the_record(results: Results) -> None:
    path = results.run() / "train" / "history.parquet"
    frame = pd.read_parquet(path)
    frame.attrs.clear()
    frame.assign(loss=frame["loss"] + 1).to_parquet(path, index=False)
    refused(results, f"{path}: has 2 epochs", "final_loss")
    frame[:1].to_parquet(path, index=False)
    refused(results, f"{path}: has 1 epochs", "epochs_run")
    frame.to_parquet(path, index=False)
    results.collect()


@pytest.mark.parametrize(("limit", "flagged"), [(0.05, True), (0.2, False), (1.0, False), (0.001, True)])
def test_the_study_says_from_which_load_on_a_run_is_contaminated(results: Results, limit: float, flagged: bool) -> None:
    record = results.run() / "train" / RECORD
    flags = json.loads(record.read_text())["flags"]
    edited(record, "contamination.fraction", 0.1)
    edited(record, "flags", sorted({*flags, "contaminated"}))
    measurement = results.study.measurement.model_copy(update={"contamination_limit": limit})
    study = results.study.model_copy(update={"measurement": measurement})
    runs = pd.read_parquet(replace(results, study=study).collect() / "runs.parquet").set_index(["run_id", "operation"])
    found = runs.loc[(results.points[0].path, "train")]
    words = {word for name in ("run_flags", "run_notes") for word in str(found[name]).split(",")}
    assert ("contaminated" in words) == flagged
    assert set(flags) - {"contaminated"} <= words
    assert found["contamination"] == 0.1 and set(runs["contamination_limit"]) == {limit}


def test_sizes_of_nothing_end_as_one_message(results: Results) -> None:
    edited(results.run() / "compress" / RECORD, "results.latent_bytes", 0)
    refused(results, f"{results.run()}: a time or a size in its records is impossible")


def test_the_command_ends_with_one_message(results: Results, capsys: pytest.CaptureFixture[str]) -> None:
    edited(results.run() / "train" / RECORD, "readings.0.value", -5)
    study, out = results.folder / "study.yaml", results.folder / "dataset"
    assert main(["collect", "--study", str(study), "--results", str(results.folder), "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert "readings.0.value: is -5" in said and "Traceback" not in said


@pytest.mark.parametrize(
    "content", ["{}", "[1]", '[{"axis": "engine"}]', '[{"runs": -1}]', "[[", '[{"axis": "\\ud800"}]']
)
def test_runs_that_were_left_out_have_their_columns(results: Results, content: str) -> None:
    path = results.folder / "left_out.json"
    path.write_text(content)
    study, out = results.folder / "study.yaml", results.folder / "dataset"
    words = ["--study", str(study), "--results", str(results.folder), "--out", str(out), "--left-out", str(path)]
    assert main(["collect", *words]) == 2
    rows = [{"axis": "engine", "value": "x", "runs": 1, "of_runs": 2, "reason": "why"}]
    path.write_text(json.dumps(rows))
    assert main(["collect", *words]) == 0
    assert pd.read_parquet(out / "left_out.parquet").to_dict("records") == rows


@pytest.mark.parametrize(
    ("key", "value"),
    [("machine.gpus", 5), ("machine.hostname", None), ("machine", []), ("provenance", [])],
)
def test_a_damaged_calibration_ends_as_one_message(results: Results, key: str, value: Any) -> None:
    path = results.folder / "calibration" / "device~auto.json"
    edited(path, key, value)
    refused(results, f"{path}: is not a calibration")


def test_readings_of_files_that_are_not_imported_are_refused() -> None:
    """Such as those of another study, whose folder was copied."""
    path, imports = Path("results/foreign/foreign.parquet"), ("./logs/a.csv", "b.csv")
    collect._check_imported(pa.table({"file": ["a.csv", "logs/a.csv", "b.csv"]}), imports, path)
    with pytest.raises(InputError, match=r"foreign\.parquet: file: has 'c\.csv', which the study does not import"):
        collect._check_imported(pa.table({"file": ["a.csv", "c.csv"]}), imports, path)


def test_a_wattmeter_without_a_host_measures_one_machine_only() -> None:
    collect._check_one_host(["node1"])
    with pytest.raises(InputError, match=r"wattmeter\.hosts: is missing: the runs were on node1, node2"):
        collect._check_one_host(["node2", "node1"])
