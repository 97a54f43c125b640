"""From records to tidy tables."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from baler_energy.analysis import tidy
from baler_energy.analysis.datapackage import datapackage
from baler_energy.analysis.electricity import Electricity, HourlyIntensity
from baler_energy.analysis.schema import TABLES, arrow_schema, check_columns
from baler_energy.config.sections import Embodied
from baler_energy.errors import BalerEnergyError
from baler_energy.records import Contamination, Idle, Measurement, Reading, Window
from baler_energy.vocabulary import Evidence, Flag, MeterName, Operation, Quantity

ELECTRICITY = Electricity(1.5, value_g_per_kwh=100.0)
START = datetime(2026, 1, 1, tzinfo=UTC)
POINT = dict.fromkeys(tidy.POINT_KEYS) | {"dataset": "toy", "device": "cpu", "repeat": 0}


def reading(meter, component, quantity, value, evidence=Evidence.MEASURED):
    reason = None if value is not None else "unreadable"
    return Reading.of(MeterName(meter), component, Quantity(quantity), value, evidence, reason)


def record(*readings, idle=(), iterations=4, **parameters):
    return Measurement(
        run_id="toy/rows~1/repeat~0",
        operation=Operation.TRAIN,
        parameters=POINT | parameters,
        iterations=iterations,
        window=Window(start=START, duration_s=8.0),
        readings=readings,
        idle=Idle(start=START, duration_s=1.0, shared=True, readings=idle) if idle else None,
        contamination=Contamination(fraction=0.01, other_cpu_s=0.1, logical_cpus=2),
        flags=(),
        provenance={"machine": {"hostname": "h", "gpus": []}, "source": "f", "slurm": None},
    )


MEASURED = (
    reading("rapl", "cpu", "energy", 80.0),
    reading("rapl", "cpu", "dynamic_energy", 40.0),
    reading("codecarbon", "ram", "energy", 20.0, Evidence.MODELLED),
    reading("codecarbon", "cpu", "energy", 64.0, Evidence.MODELLED),
    reading("process", "process", "memory_peak", 1e8),
    reading("process", "process", "cpu_time", 16.0),
)
IDLE = (reading("rapl", "cpu", "idle_power", 5.0), reading("codecarbon", "cpu", "idle_power", 1.0, Evidence.MODELLED))


def test_a_run_is_per_iteration_and_its_energy_is_the_measured_one():
    row = tidy.run_row(record(*MEASURED, idle=IDLE), {"mean_rms_over_range": 0.1}, ELECTRICITY, at_centre=True)
    check_columns("runs", list(row))
    assert row["duration_s"] == 2.0
    assert (row["energy_j"], row["energy_evidence"], row["energy_scope"]) == (20.0, "measured", "cpu")
    assert row["energy_modelled_j"] == 5.0, "only what is not measured"
    assert row["dynamic_energy_j"] == 10.0
    assert row["idle_power_w"] == 5.0
    assert row["power_mean_w"] == 10.0
    assert row["cpu_time_s"] == 4.0
    assert row["memory_peak_b"] == 1e8, "a peak does not divide"
    assert row["co2e_kg"] == pytest.approx(20.0 / 3.6e6 * 1.5 * 0.1)
    assert row["mean_rms_over_range"] == 0.1
    assert row["max_over_range"] is None


def test_a_run_with_which_nothing_is_wrong_counts_and_has_no_flags():
    flags = (Flag.MODELLED_ONLY, Flag.RESUMED)
    row = tidy.run_row(record(*MEASURED).model_copy(update={"flags": flags}), {}, ELECTRICITY, at_centre=True)
    assert (row["in_mean"], row["run_flags"], row["run_notes"]) == (True, None, "modelled_only,resumed")
    flags = (Flag.CONTAMINATED, Flag.MODELLED_ONLY, Flag.THROTTLED)
    row = tidy.run_row(record(*MEASURED).model_copy(update={"flags": flags}), {}, ELECTRICITY, at_centre=True)
    assert (row["in_mean"], row["run_flags"], row["run_notes"]) == (False, "contaminated,throttled", "modelled_only")
    simulated = record(*MEASURED).model_copy(update={"flags": (Flag.SIMULATED,)})
    row = tidy.run_row(simulated, {}, ELECTRICITY, at_centre=True)
    assert (row["in_mean"], row["run_flags"], row["run_notes"]) == (True, None, "simulated")
    row = tidy.run_row(record(*MEASURED), {}, ELECTRICITY, at_centre=True)
    assert (row["in_mean"], row["run_flags"], row["run_notes"]) == (True, None, None), "null, not an empty text"


def test_the_energy_of_a_megabyte_is_of_the_recorded_number_formats():
    row = tidy.run_row(record(*MEASURED), {"native_bytes": 4_000_000}, ELECTRICITY, at_centre=True)
    assert (row["native_bytes"], row["energy_j_per_mb"]) == (4_000_000, 5.0)
    for errors in ({}, {"native_bytes": 0}):
        assert tidy.run_row(record(*MEASURED), errors, ELECTRICITY, at_centre=True)["energy_j_per_mb"] is None
    unknown = record(reading("rapl", "cpu", "energy", None))
    assert tidy.run_row(unknown, {"native_bytes": 4}, ELECTRICITY, at_centre=True)["energy_j_per_mb"] is None


@pytest.mark.parametrize(("rows", "batch_size"), [(100, 10), (100, 30), (100, 100), (7, 512)])
def test_the_loss_per_value_is_a_mean_squared_error_at_any_batch_size(rows, batch_size):
    """Baler's loss is the mean over batches of the squared error, summed over a batch, over the columns."""
    squares = np.random.default_rng(1).random((rows, 3))
    batches = [squares[first : first + batch_size] for first in range(0, rows, batch_size)]
    loss = float(np.mean([batch.sum() / 3 for batch in batches]))
    trained = record(*MEASURED, rows=rows, batch_size=batch_size).model_copy(update={"results": {"final_loss": loss}})
    row = tidy.run_row(trained, {}, ELECTRICITY, at_centre=True)
    assert row["final_loss"] == loss and row["loss_per_value"] == pytest.approx(squares.mean())
    history = history_of(trained, pd.DataFrame({"epoch": [1, 2], "loss": [2 * loss, loss], "duration_s": [3.0, 1.0]}))
    assert history["loss_per_value"].tolist() == pytest.approx([2 * squares.mean(), squares.mean()])


def test_a_codec_without_batches_has_no_loss_per_value():
    closed = record(*MEASURED, rows=10).model_copy(update={"results": {"final_loss": 1.0}})
    assert tidy.run_row(closed, {}, ELECTRICITY, at_centre=True)["loss_per_value"] is None
    without = record(*MEASURED, rows=10, batch_size=2)
    assert tidy.run_row(without, {}, ELECTRICITY, at_centre=True)["loss_per_value"] is None


def test_the_gains_of_autoencoder_and_packing_multiply_to_the_ratio():
    sizes = {"latent_bytes": 4800, "stored_latent_bytes": 1100, "correction_bytes": 100}
    results = sizes | {"input_float64_bytes": 9600, "native_bytes": 4800}
    compressed = record(*MEASURED).model_copy(update={"operation": Operation.COMPRESS, "results": results})
    row = tidy.run_row(compressed, {}, ELECTRICITY, at_centre=True)
    check_columns("runs", list(row))
    assert {name: row[name] for name in sizes} == sizes
    assert (row["ratio_autoencoder_float64_bytes"], row["ratio_autoencoder_native_bytes"]) == (2.0, 1.0)
    assert row["ratio_packing"] == 4.0
    assert row["ratio_autoencoder_float64_bytes"] * row["ratio_packing"] == 9600 / (1100 + 100)
    assert row["startup_s"] is None


def test_there_are_no_sizes_if_nothing_was_compressed():
    started = record(*MEASURED).model_copy(update={"results": {"startup_s": 3.5, "runtime_deviation": 1e-7}})
    row = tidy.run_row(started, {}, ELECTRICITY, at_centre=True)
    assert (row["startup_s"], row["runtime_deviation"]) == (3.5, 1e-7)
    assert [row[name] for name in (*tidy.STORED_KEYS, "ratio_packing", "ratio_autoencoder_native_bytes")] == [None] * 5
    unknown = dict.fromkeys(tidy.STORED_KEYS, 100)
    row = tidy.run_row(started.model_copy(update={"results": unknown}), {}, ELECTRICITY, at_centre=True)
    assert (row["ratio_packing"], row["ratio_autoencoder_native_bytes"]) == (0.5, None)


def test_a_run_whose_runtime_failed_is_in_no_mean_and_has_the_reason():
    known = {"runtime_deviation": 1e-3, "runtime_reason": "differs", "startup_s": 0.5, "coder_startup_s": 0.1}
    wrong = record(*MEASURED).model_copy(update={"results": known, "flags": (Flag.RUNTIME_FAULT,)})
    row = tidy.run_row(wrong, {}, ELECTRICITY, at_centre=True)
    assert known.items() <= row.items()
    assert (row["in_mean"], row["run_flags"], row["run_notes"]) == (False, "runtime_fault", None)


def test_without_counters_the_energy_is_modelled_and_has_no_dynamic_part():
    modelled = (reading("rapl", "cpu", "energy", None), *MEASURED[2:4])
    row = tidy.run_row(record(*modelled, idle=IDLE), {}, ELECTRICITY, at_centre=True)
    assert (row["energy_j"], row["energy_evidence"], row["energy_scope"]) == (21.0, "modelled", "cpu+ram")
    assert row["energy_measured_j"] is None
    assert row["dynamic_energy_j"] is None


def test_an_unknown_energy_is_null_not_zero():
    row = tidy.run_row(record(reading("rapl", "cpu", "energy", None)), {}, ELECTRICITY, at_centre=True)
    assert row["energy_j"] is None
    assert row["co2e_kg"] is None
    assert row["energy_evidence"] is None


def test_the_energy_of_memory_alone_is_not_that_of_a_run():
    """Without the package that its sum lacks, 80 J of CPU and 8 J of memory are not 8 J."""
    memory = (reading("rapl", "cpu", "energy", None), reading("rapl", "dram", "energy", 8.0))
    row = tidy.run_row(record(*memory, idle=IDLE), {}, ELECTRICITY, at_centre=True)
    assert [row[name] for name in ("energy_j", "energy_evidence", "energy_scope", "co2e_kg", "idle_power_w")] == [
        None
    ] * 5
    assert row["energy_measured_j"] == 2.0
    row = tidy.run_row(record(*memory, MEASURED[3], idle=IDLE), {}, ELECTRICITY, at_centre=True)
    assert (row["energy_j"], row["energy_evidence"], row["energy_scope"]) == (16.0, "modelled", "cpu")


def test_a_partial_dynamic_energy_is_null():
    both = (*MEASURED, reading("rapl", "dram", "energy", 8.0))
    assert tidy.run_row(record(*both, idle=IDLE), {}, ELECTRICITY, at_centre=True)["dynamic_energy_j"] is None


def test_readings_keep_their_window_and_energies_get_co2e():
    of_record = record(*MEASURED)
    rows = pd.DataFrame(tidy.measurement_rows(of_record, ELECTRICITY))
    check_columns("measurements", [*tidy.point_values(of_record), "operation", "iterations", *rows])
    cpu = rows[(rows["meter"] == "rapl") & (rows["quantity"] == "energy")].iloc[0]
    assert (cpu["value"], cpu["value_per_iteration"], cpu["primary"]) == (80.0, 20.0, True)
    second = rows[(rows["meter"] == "codecarbon") & (rows["component"] == "cpu")].iloc[0]
    assert not second["primary"], "one meter per component"
    emitted = rows[rows["quantity"] == "co2e"]
    assert len(emitted) == 3
    assert set(emitted["evidence"]) == {"modelled"}


def test_the_hours_of_an_interrupted_run_are_not_known():
    """Its window begins with its first part and is as long as all parts, without the pause between them."""
    hours = Electricity(1.0, hours=HourlyIntensity(None, (100.0,) * 24, "profile.csv"))
    whole = record(*MEASURED)
    parts = whole.model_copy(update={"flags": (Flag.RESUMED,)})
    for one, known in ((whole, True), (parts, False)):
        row = tidy.run_row(one, {}, hours, at_centre=True)
        assert (row["co2e_kg"] is not None) == (row["carbon_intensity_g_per_kwh"] is not None) == known
        rows = [row for row in tidy.measurement_rows(one, hours) if row["quantity"] == "co2e"]
        assert {row["value"] is not None for row in rows} == {known}
        assert known or all("profile.csv is not merged with a run" in row["reason"] for row in rows)
    assert tidy.run_row(parts, {}, ELECTRICITY, at_centre=True)["co2e_kg"] is not None


def history_of(of_record, history: pd.DataFrame) -> pd.DataFrame:
    table, evidence = tidy.history_table(of_record, pa.Table.from_pandas(history))
    return table.to_pandas().assign(**tidy.point_values(of_record), energy_evidence=evidence)


def test_history_uses_counters_read_at_the_edges():
    history = pd.DataFrame(
        {"epoch": [1, 2], "loss": [2.0, 1.0], "duration_s": [3.0, 1.0], "energy_j:rapl/cpu": [50.0, 80.0]}
    )
    table = history_of(record(*MEASURED, iterations=1), history)
    check_columns("history", list(table))
    assert table["energy_j"].tolist() == [50.0, 80.0]
    assert set(table["energy_evidence"]) == {"measured"}


def test_history_without_counters_divides_energy_by_time_and_is_modelled():
    history = pd.DataFrame({"epoch": [1, 2], "loss": [2.0, 1.0], "duration_s": [3.0, 1.0]})
    table = history_of(record(*MEASURED, iterations=2), history)
    assert table["elapsed_s"].tolist() == [3.0, 4.0]
    assert table["energy_j"].tolist() == [30.0, 40.0]
    assert set(table["energy_evidence"]) == {"modelled"}


def test_history_of_epochs_of_unknown_length_has_no_energy():
    history = pd.DataFrame({"epoch": [1, 2], "loss": [2.0, 1.0], "duration_s": [np.nan, np.nan]})
    table = history_of(record(*MEASURED, iterations=2), history)
    check_columns("history", list(table))
    assert table["loss"].tolist() == [2.0, 1.0]
    assert table[["duration_s", "elapsed_s", "energy_j", "energy_evidence"]].isna().all(axis=None)


def test_every_column_has_a_meaning_a_known_type_and_units_where_the_name_has_one():
    suffixes = {"_j": "J", "_s": "s", "_w": "W", "_b": "B", "_bytes": "B", "_kg": "kg", "_g_per_kwh": "g/kWh"}
    for name, (_, columns) in TABLES.items():
        assert len(arrow_schema(name)) == len({c.name for c in columns}) == len(columns)
        for column in columns:
            assert column.meaning
            for suffix, unit in suffixes.items():
                if column.name.endswith(suffix) and not column.name.startswith("ratio_"):
                    assert column.unit == unit, column.name


def test_a_table_with_other_columns_is_refused():
    with pytest.raises(BalerEnergyError, match=r"missing columns \['time_s'\], unknown columns \['time'\]"):
        names = [c.name for c in TABLES["samples"][1]]
        check_columns("samples", ["time" if n == "time_s" else n for n in names])


def test_the_data_package_describes_every_table():
    package = datapackage("Laptop")
    assert [r["name"] for r in package["resources"]] == list(TABLES)
    assert all(f["description"] for r in package["resources"] for f in r["schema"]["fields"])


def test_every_row_of_a_run_names_its_threads():
    assert tidy.point_values(record(threads=3))["threads"] == 3
    for name, (_, columns) in TABLES.items():
        names = {column.name for column in columns}
        assert ("threads" in names) == ("run_id" in names or name == "summary"), name


def test_columns_are_no_attributes_of_a_data_frame():
    """These four are words of studies and records, too; results/README.md says why they stay."""
    names = {column.name for _, columns in TABLES.values() for column in columns}
    assert {name for name in names if hasattr(pd.DataFrame, name)} == {"columns", "count", "stack", "transform"}


def test_the_data_package_says_which_columns_pandas_hides():
    resources = datapackage("x")["resources"]
    fields = {field["name"]: field["description"] for one in resources for field in one["schema"]["fields"]}
    hidden = set()
    for name in fields:
        frame = pd.DataFrame({name: [7]})
        column, cell = getattr(frame, name), getattr(frame.iloc[0], name)
        if not isinstance(column, pd.Series) or not isinstance(cell, np.integer) or cell != 7:
            hidden.add(name)
    assert hidden >= {"columns", "transform", "name", "repeat"}
    assert {name for name, said in fields.items() if said.endswith(f"; in pandas only ['{name}']")} == hidden


def test_the_software_carbon_intensity_has_both_emissions_and_is_null_without_one():
    embodied = Embodied(machine_co2e_kg=1200, lifetime_years=4, reserved_share=0.5, citation="data sheet")
    sizes = {"native_bytes": 4_000_000}
    row = tidy.run_row(record(*MEASURED), sizes, ELECTRICITY, at_centre=True, embodied=embodied)
    check_columns("runs", list(row))
    # Of the 2 s of one iteration; 4 MB are 0.004 GB.
    assert row["embodied_co2e_kg"] == pytest.approx(1200 * 2 / (4 * 365.25 * 86400) * 0.5)
    assert row["sci_kg_per_gb"] == pytest.approx((row["co2e_kg"] + row["embodied_co2e_kg"]) / 0.004)
    assert row["embodied_source"] == "1200 kg over 4 years, reserved share 0.5 (data sheet)"
    stated = {"at_centre": True, "embodied": embodied}
    without = [
        tidy.run_row(record(*MEASURED), sizes, ELECTRICITY, at_centre=True),
        tidy.run_row(record(*MEASURED), sizes, Electricity(1.0), **stated),
        tidy.run_row(record(*MEASURED), {}, ELECTRICITY, **stated),
        tidy.run_row(record(reading("rapl", "cpu", "energy", None)), sizes, ELECTRICITY, **stated),
    ]
    assert [one["sci_kg_per_gb"] for one in without] == [None] * 4
    assert without[0]["embodied_co2e_kg"] is None and without[0]["embodied_source"] is None
