"""Efficiency metrics: the arithmetic in units, and why a value is missing."""

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from baler_energy.analysis.efficiency import KEYS, absent, metrics
from baler_energy.analysis.glossary import GLOSSARY
from baler_energy.analysis.schema import TABLES
from baler_energy.config.parameters import AXES, applies

OPERATIONS = ("train", "compress", "decompress")
POINT = {
    **{"run_id": "r0", "dataset": "jets", "source": "toy", "rows": 1000, "columns": 24, "engine": "reference"},
    **{
        "model": "baler",
        "device": "cpu",
        "precision": "float64",
        "batch_size": 512,
        "compression_ratio": 2.0,
        "packing": "none",
        "transform": "baler",
    },
    **{"latent_columns": 12, "epochs": 5, "repeat": 0, "threads": 2},
}
RECORD = POINT | {
    **{"duration_s": 2.0, "energy_j": 40.0, "energy_evidence": "measured", "energy_scope": "cpu+dram"},
    **{"idle_power_w": 5.0, "cpu_time_s": 3.6, "hostname": "n1", "gpu_model": "", "in_mean": True},
    **{"native_bytes": 3e6, "mean_rms_over_range": 0.01},
}
TRAINED = {"flops": 2e9, "parameters": 61_536}
GPU = {"device": "cuda", "gpu_model": "A, B"}
ENERGY = ("energy_j", "flops_per_j", "j_per_weight", "j_per_row", "j_per_mb", "energy_delay_product_js")
positive = st.floats(1e-3, 1e6)


def table(name: str, rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[column.name for column in TABLES[name][1]])


def dataset(
    *, epochs_run: int = 5, others: dict[str, list[dict[str, Any]]] | None = None, **changes: Any
) -> dict[str, pd.DataFrame]:
    """Make the tables of one run; changes are for one operation (``compress={...}``) or all (``every={...}``)."""
    every = changes.pop("every", {})
    runs = [
        RECORD | (TRAINED if name == "train" else {}) | {"operation": name} | every | changes.get(name, {})
        for name in OPERATIONS
    ]
    rows = {"history": [POINT | {"epoch": n + 1} for n in range(epochs_run)]} | (others or {})
    return {"runs": table("runs", runs)} | {
        name: table(name, rows.get(name, [])) for name in ("history", "measurements", "hotspots")
    }


def of(tables: dict[str, pd.DataFrame], operation: str = "train") -> dict[Any, Any]:
    found = metrics(tables)
    row: dict[Any, Any] = found[found["operation"] == operation].iloc[0].to_dict()
    return row


def peak(**changes: Any) -> dict[str, Any]:
    row = {"operation": "machine", "profiler": "parts", "kind": "peak", "name": "matrix product"}
    return POINT | row | {"flops": 8e9, "self_time_s": 2.0} | changes


def latency(name: str, self_time_s: float, **changes: Any) -> dict[str, Any]:
    row = {"operation": "train", "profiler": "parts", "kind": "latency", "name": name, "self_time_s": self_time_s}
    return POINT | row | changes


def load(meter: str, component: str, value: float | None, **changes: Any) -> dict[str, Any]:
    row = {"operation": "train", "quantity": "utilisation_mean", "meter": meter, "component": component}
    return POINT | row | {"value": value, "unit": "1"} | changes


@given(energy_j=positive, duration_s=positive, idle_w=positive, flops=st.floats(1, 1e18))
@settings(max_examples=40)
def test_rates_times_their_denominators_give_the_totals(
    energy_j: float, duration_s: float, idle_w: float, flops: float
) -> None:
    changed = {"energy_j": energy_j, "duration_s": duration_s, "idle_power_w": idle_w, "flops": flops}
    row = of(dataset(train=changed, epochs_run=3))
    power_w = energy_j / duration_s
    close = pytest.approx
    assert row["flops_per_j"] * power_w == close(row["flops_per_s"])
    assert row["flops_per_s"] * duration_s == close(flops) and 2 * row["macs"] == close(flops)
    assert row["j_per_weight"] * row["parameters"] == close(energy_j)
    assert row["j_per_row"] * 1000 == close(energy_j)
    assert row["j_per_mb"] * 3.0 == close(energy_j)  # 1.5 times 2e6 B
    assert row["rows_per_s"] * duration_s == close(1000 * 3)  # the epochs that ran, not the five requested ones
    assert row["energy_delay_product_js"] == close(power_w * duration_s**2)
    assert row["idle_share"] * power_w == close(idle_w)
    assert row["cpu_hours"] == close(0.001)


@given(train_j=positive, compress_j=positive, decompress_j=positive, error=st.floats(0, 1))
@settings(max_examples=40)
def test_greenness_and_energy_precision_ratio_are_of_the_whole_run(
    train_j: float, compress_j: float, decompress_j: float, error: float
) -> None:
    tables = dataset(
        train={"energy_j": train_j},
        compress={"energy_j": compress_j},
        decompress={"energy_j": decompress_j},
        every={"mean_rms_over_range": error},
    )
    found = metrics(tables)
    row, *others = (found[found["operation"] == name].iloc[0] for name in OPERATIONS)
    assert row["greenness_per_j"] * (train_j + compress_j + decompress_j) == pytest.approx(1 - error)
    assert row["energy_precision_j"] * 1000 == pytest.approx(error * (compress_j + decompress_j))
    for other in others:
        assert pd.isna(other["greenness_per_j"]) and "whole run: see train" in other["reasons"]


@given(
    gone=st.sets(st.sampled_from(sorted(set(RECORD | TRAINED) - set(KEYS)))),
    device=st.sampled_from([{}, GPU]),
    operation=st.sampled_from(OPERATIONS),
)
@settings(max_examples=50)
def test_exactly_the_missing_values_have_a_reason(gone: set[str], device: dict[str, str], operation: str) -> None:
    row = of(dataset(every=device | dict.fromkeys(gone)), operation)
    explained = {name for part in row["reasons"].split("; ") for name in part.split(": ")[0].split(", ")}
    missing = {entry.column for entry in GLOSSARY if pd.isna(row[entry.column])}
    assert explained - {""} == missing


def test_counts_are_those_of_the_network() -> None:
    for operation in ("compress", "decompress"):
        row = of(dataset(), operation)
        assert row["macs"] == 1000 * 30_400 and row["flops"] == 2 * row["macs"]
        assert row["parameters"] == 61_536  # only recorded by the training
        assert row["rows_per_s"] == 500.0
    small = of(dataset(every={"model": "20-10"}), "compress")
    assert small["macs"] == 1000 * (24 * 20 + 20 * 10 + 10 * 12)
    pruned = of(dataset(every={"pruning": "neurons-0.5"}), "compress")
    assert pd.isna(pruned["macs"]) and "the network was pruned" in pruned["reasons"]
    assert of(dataset(every={"pruning": "none"}), "compress")["macs"] == 1000 * 30_400
    # With an error bound, compression also decodes.
    bounded = of(dataset(every={"packing": "zstd+bound-0.01"}), "compress")
    assert bounded["macs"] == 2 * 1000 * 30_400


def test_components_are_counted_and_a_codec_without_products_says_so() -> None:
    none = {name: None for name in AXES if not applies(name, "pca")}
    pca = {"transform": "pca", **none}
    for operation in ("compress", "decompress"):
        assert of(dataset(every=pca), operation)["macs"] == 1000 * 24 * 12
    bounded = dataset(every=pca | {"packing": "zstd+bound-0.01"})
    assert (of(bounded, "compress")["macs"], of(bounded, "decompress")["macs"]) == (2 * 1000 * 24 * 12, 1000 * 24 * 12)
    same = dataset(every=pca | {"transform": "identity", "compression_ratio": None, "latent_columns": None})
    row = of(same, "compress")
    assert pd.isna(row["macs"]) and "macs, flops, flops_per_s" in row["reasons"]
    assert "the codec has no network" in row["reasons"]


def test_without_an_energy_only_metrics_that_need_it_are_missing() -> None:
    row = of(dataset(every={"energy_j": None, "energy_evidence": None, "energy_scope": None}))
    assert all(pd.isna(row[name]) for name in (*ENERGY, "idle_share", "greenness_per_j", "energy_precision_j"))
    assert (
        f"{', '.join(ENERGY[:5])}, idle_share, energy_delay_product_js: no meter reported an energy" in row["reasons"]
    )
    assert row["flops_per_s"] == 1e9 and row["rows_per_s"] == 2500.0


def test_modelled_energy_has_no_idle_share_but_all_other_metrics() -> None:
    row = of(dataset(every={"energy_evidence": "modelled"}))
    assert pd.isna(row["idle_share"]) and "idle_share: modelled energy has no idle baseline" in row["reasons"]
    assert not any(pd.isna(row[name]) for name in (*ENERGY, "greenness_per_j"))
    assert row["energy_evidence"] == "modelled"


def test_measured_and_modelled_energies_are_not_added() -> None:
    row = of(dataset(compress={"energy_evidence": "modelled"}))
    assert pd.isna(row["greenness_per_j"]) and pd.isna(row["energy_precision_j"])
    assert "the energies of train and compress differ in evidence or components" in row["reasons"]
    assert pd.isna(of(dataset(decompress={"energy_scope": "cpu"}))["energy_precision_j"])


def test_a_flagged_part_spoils_the_whole_run_unless_the_row_itself_is_flagged() -> None:
    row = of(dataset(compress={"in_mean": False, "run_flags": "contaminated"}))
    assert pd.isna(row["greenness_per_j"]) and "compress is flagged: contaminated" in row["reasons"]
    assert of(dataset(every={"in_mean": False, "run_flags": "contaminated"}))["greenness_per_j"] > 0


def test_a_division_by_zero_is_missing_and_not_infinite() -> None:
    row = of(dataset(train={"energy_j": 0.0}))
    assert row["energy_j"] == 0 and pd.isna(row["flops_per_j"]) and "division by zero" in row["reasons"]


@pytest.mark.parametrize(
    ("elsewhere", "fraction"),
    [
        ({}, 0.25),  # 1e9 of 4e9 FLOP/s
        ({"precision": "float32"}, None),
        ({"hostname": "n2"}, None),
        ({"threads": 4}, None),
        ({"threads": None}, None),
    ],
)
def test_the_peak_is_that_of_the_same_machine_precision_and_threads(
    elsewhere: dict[str, Any], fraction: float | None
) -> None:
    tables = dataset(others={"hotspots": [peak(), peak(self_time_s=8.0), peak(flops=None)]})
    other = RECORD | TRAINED | {"operation": "train", "run_id": "r1"} | elsewhere
    tables["runs"] = pd.concat([tables["runs"], table("runs", [other])])
    row = metrics(tables).iloc[-1]
    if fraction is not None:
        assert row["fraction_of_peak"] == fraction
    else:
        assert pd.isna(row["fraction_of_peak"]) and "fraction_of_peak: no peak was measured on n" in row["reasons"]


def test_the_reason_names_the_machine_without_a_peak() -> None:
    said = of(dataset(others={"hotspots": [peak(name="memory copy")]}))["reasons"]
    assert "fraction_of_peak: no peak was measured on n1 (cpu, float64, threads: 2)" in said


def test_repeats_share_the_latency_of_their_points_profiled_run() -> None:
    rows = [latency("p50", 0.001), latency("p99", 0.004), latency("p50", 9.0, batch_size=128)]
    tables = dataset(every={"run_id": "r7", "repeat": 7}, others={"hotspots": rows})
    row = of(tables)
    assert (row["latency_p50_s"], row["latency_p99_s"]) == (0.001, 0.004)
    other = of(tables, "compress")
    assert pd.isna(other["latency_p50_s"]) and "only timed at profiled points" in other["reasons"]


def test_utilisation_is_the_machines_and_the_mean_over_gpus() -> None:
    loads = [load("sampler", "machine", 0.7), load("nvml", "gpu-0", 0.8), load("nvml", "gpu-1", 0.2)]
    row = of(dataset(every=GPU, others={"measurements": loads}))
    assert (row["cpu_utilisation"], row["gpu_utilisation"]) == (0.7, 0.5)
    assert row["gpu_hours"] == pytest.approx(2 * 2.0 / 3600)
    on_cpu = of(dataset(others={"measurements": loads}))
    assert pd.isna(on_cpu["gpu_utilisation"]) and pd.isna(on_cpu["gpu_hours"])
    assert "gpu_utilisation, gpu_hours: the run used no GPU" in on_cpu["reasons"]


def test_a_gpu_without_a_reading_leaves_the_mean_unknown() -> None:
    loads = [load("nvml", "gpu-0", 0.8), load("nvml", "gpu-1", None, reason="it fell off the bus")]
    row = of(dataset(every=GPU, others={"measurements": loads}))
    assert pd.isna(row["gpu_utilisation"]) and "gpu_utilisation: it fell off the bus" in row["reasons"]
    assert "cpu_utilisation: no meter read the CPU load" in row["reasons"]


def test_absent_metrics_have_no_value_in_any_run() -> None:
    found = absent(dataset(compress={"energy_j": None}))
    assert found["gpu_hours"] == "the run used no GPU" and "energy_j" not in found and "j_per_row" not in found
    assert absent(dataset(every={"cpu_time_s": None}))["cpu_hours"] == "the CPU time was not recorded"


def test_a_table_without_runs_has_no_metrics() -> None:
    tables = {name: frame.iloc[:0] for name, frame in dataset().items()}
    assert metrics(tables).empty and absent(tables) == {}
