"""Efficiency metrics of each run and operation, computed from the dataset. `glossary` defines them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from baler_energy.analysis.schema import POINT
from baler_energy.codecs.engines import engine_of
from baler_energy.config.parameters import AXES, Parameters
from baler_energy.vocabulary import OPERATIONS, Evidence, Operation, Quantity

__all__ = ["ALPHA", "KEYS", "absent", "metrics"]

#: Columns of the table ``runs`` that identify the rows of the metrics and describe their energy.
KEYS = (
    *(column.name for column in POINT),
    *("operation", "hostname", "in_mean", "run_flags", "energy_evidence", "energy_scope"),
)
#: Weight of the error in the energy-precision ratio.
ALPHA = 1.0
#: Operations that serve a trained model.
_SERVING = (Operation.COMPRESS, Operation.DECOMPRESS)
#: Columns that the repeats of a point have in common.
_SAME_POINT = tuple(column.name for column in POINT if column.name not in ("run_id", "repeat"))
#: Runs are compared with the peak measured with the same values of these.
_SAME_MACHINE = ("hostname", "device", "precision", "threads")
_OF_TABLE = ("parameters", "mean_rms_over_range", "native_bytes")
_NO_GPU = "the run used no GPU"
_NO_SIZE = "the table's size in its own number formats is unknown"

Record = dict[Any, Any]


@dataclass(frozen=True)
class _Missing:
    """Why there is no value."""

    reason: str


#: A number, or why it is missing; what is computed from a missing value is missing for the same reason.
_Value = float | _Missing


@dataclass(frozen=True)
class _Found:
    """Values from the tables that are looked up for each run."""

    #: Records of `runs` by run and operation.
    records: Mapping[str, Mapping[str, Record]]
    #: Model size, error and file sizes by run, from the first operation that has them.
    of_run: Mapping[str, Record]
    epochs_run: Mapping[str, int]
    peak_flops_per_s: Mapping[tuple[Any, ...], float]
    latency_s: Mapping[tuple[Any, ...], float]
    utilisation: Mapping[tuple[str, str, str], _Value]


def metrics(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Compute the metrics of each run and operation.

    Parameters
    ----------
    tables
        ``runs``, ``measurements``, ``history`` and ``hotspots`` of the dataset.

    Returns
    -------
    pandas.DataFrame
        A row per row of ``runs``: `KEYS`, a column per entry of `glossary.GLOSSARY` (which has name, formula, unit and
        source), and ``reasons`` for the nulls. Values are for one iteration. Energies are ``runs.energy_j``, measured
        or modelled (``energy_evidence``), and cover the components in ``energy_scope``. Greenness and energy-precision
        ratio are for the whole run and only in its training row.
    """
    keys = tables["runs"][list(KEYS)].reset_index(drop=True)
    rows = _values(tables)
    numbers = [{name: None if isinstance(v, _Missing) else v for name, v in row.items()} for row in rows]
    return pd.concat([keys, pd.DataFrame(numbers, dtype=float)], axis=1).assign(reasons=list(map(_reasons, rows)))


def absent(tables: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """Return the reasons for the metrics that have no value in any run, by column."""
    rows = _values(tables)
    names = list(rows[0]) if rows else []
    return {
        name: "; ".join(dict.fromkeys(row[name].reason for row in rows))  # type: ignore[union-attr]
        for name in names
        if all(isinstance(row[name], _Missing) for row in rows)
    }


def _reasons(row: Mapping[str, _Value]) -> str:
    """Describe why values of a row are missing: ``gpu_hours, gpu_utilisation: the run used no GPU; ...``."""
    names: dict[str, list[str]] = {}
    for name, value in row.items():
        if isinstance(value, _Missing):
            names.setdefault(value.reason, []).append(name)
    return "; ".join(f"{', '.join(same)}: {reason}" for reason, same in names.items())


def _values(tables: Mapping[str, pd.DataFrame]) -> list[dict[str, _Value]]:
    runs = tables["runs"]
    records: dict[str, dict[str, Record]] = {}
    for record in runs.to_dict("records"):
        records.setdefault(record["run_id"], {})[record["operation"]] = record
    any_record = {run_id: next(iter(mine.values())) for run_id, mine in records.items()}
    found = _Found(
        records=records,
        of_run=runs.groupby("run_id", observed=True)[list(_OF_TABLE)].first().to_dict("index"),  # type: ignore[arg-type]
        epochs_run={str(run_id): int(n) for run_id, n in tables["history"]["run_id"].value_counts().items()},
        peak_flops_per_s=_peaks(tables["hotspots"], any_record),
        latency_s=_latencies(tables["hotspots"]),
        utilisation=_utilisation(tables["measurements"]),
    )
    return [_row(record, found) for record in runs.to_dict("records")]


def _row(run: Record, found: _Found) -> dict[str, _Value]:
    """Compute the metrics of one run and operation."""
    mine = found.of_run[run["run_id"]]
    energy_j = _known(run["energy_j"], "no meter reported an energy")
    duration_s = _known(run["duration_s"], "the duration was not recorded")
    parameters = _known(mine["parameters"], "the training did not record the number of parameters")
    macs = _macs(run)
    flops = _product(2.0, macs)
    flops_per_s = _ratio(flops, duration_s)
    return {
        "energy_j": energy_j,
        "duration_s": duration_s,
        "parameters": parameters,
        "macs": macs,
        "flops": flops,
        "flops_per_s": flops_per_s,
        "fraction_of_peak": _ratio(flops_per_s, _peak(run, found)),
        "flops_per_j": _ratio(flops, energy_j),
        "j_per_weight": _ratio(energy_j, parameters),
        "j_per_row": _ratio(energy_j, float(run["rows"])),
        "j_per_mb": _ratio(_product(1e6, energy_j), _known(mine["native_bytes"], _NO_SIZE)),
        "rows_per_s": _ratio(_rows_passed(run, found), duration_s),
        "latency_p50_s": _latency(run, found, "p50"),
        "latency_p99_s": _latency(run, found, "p99"),
        "cpu_utilisation": _busy(run, found, "cpu"),
        "gpu_utilisation": _busy(run, found, "gpu") if run["device"] == "cuda" else _Missing(_NO_GPU),
        "cpu_hours": _ratio(_known(run["cpu_time_s"], "the CPU time was not recorded"), 3600.0),
        "gpu_hours": _ratio(_product(duration_s, _gpus(run)), 3600.0),
        "idle_share": _idle_share(run, energy_j, duration_s),
        "energy_delay_product_js": _product(energy_j, duration_s),
        "sci_kg_per_gb": _known(run["sci_kg_per_gb"], _why_no_sci(run)),
        **_of_whole_run(run, found),
    }


def _why_no_sci(run: Record) -> str:
    """Say why a run has no Software Carbon Intensity."""
    if pd.isna(run["embodied_co2e_kg"]):
        return "the study states no embodied emissions"
    return "the CO2e is unknown" if pd.isna(run["co2e_kg"]) else _NO_SIZE


def _known(value: Any, reason: str) -> _Value:
    return _Missing(reason) if pd.isna(value) else float(value)


def _product(*values: _Value) -> _Value:
    product = 1.0
    for value in values:
        if isinstance(value, _Missing):
            return value
        product *= value
    return product


def _ratio(above: _Value, below: _Value) -> _Value:
    if isinstance(above, _Missing):
        return above
    if isinstance(below, _Missing):
        return below
    return above / below if below else _Missing("division by zero")


def _macs(run: Record) -> _Value:
    """Multiply-accumulates of one iteration; recorded for training, which may stop before the last epoch."""
    if run["operation"] in (Operation.TRAIN, Operation.FORWARD):
        return _ratio(_known(run["flops"], "the run did not record its operations"), 2.0)
    parameters = {name: None if pd.isna(run[name]) else run[name] for name in (*AXES, "columns", "latent_columns")}
    per_row = engine_of(Parameters.model_construct(**parameters)).macs(run["operation"], parameters)
    return _Missing(per_row) if isinstance(per_row, str) else float(run["rows"]) * per_row


def _rows_passed(run: Record, found: _Found) -> _Value:
    """Rows that went through the network: in training, all rows for each epoch that ran."""
    if run["operation"] != Operation.TRAIN:
        return float(run["rows"])
    epochs = found.epochs_run.get(run["run_id"])
    return _Missing("the training did not record its epochs") if epochs is None else float(run["rows"]) * epochs


def _gpus(run: Record) -> _Value:
    if run["device"] != "cuda":
        return _Missing(_NO_GPU)
    names = run["gpu_model"] if isinstance(run["gpu_model"], str) else ""
    return float(len(names.split(", "))) if names else _Missing("the record does not name a GPU")


def _idle_share(run: Record, energy_j: _Value, duration_s: _Value) -> _Value:
    if isinstance(energy_j, float) and run["energy_evidence"] != Evidence.MEASURED:
        return _Missing("modelled energy has no idle baseline")
    idle_w = _known(run["idle_power_w"], "idle power was not measured for all components of the energy")
    return _ratio(_product(idle_w, duration_s), energy_j)


def _key(record: Record, names: Iterable[str]) -> tuple[Any, ...]:
    # Missing values have to be equal in keys, which NaN is not.
    return tuple(None if pd.isna(record[name]) else record[name] for name in names)


def _peaks(hotspots: pd.DataFrame, any_record: Mapping[str, Record]) -> dict[tuple[Any, ...], float]:
    """Return the best FLOP/s of a long matrix product by machine, device, precision and threads."""
    chosen = hotspots[hotspots["kind"].eq("peak") & hotspots["name"].eq("matrix product")]
    peaks: dict[tuple[Any, ...], float] = {}
    for row in chosen.dropna(subset=["flops", "self_time_s"]).to_dict("records"):
        if row["run_id"] in any_record and row["self_time_s"] > 0:
            key = _key(any_record[row["run_id"]], _SAME_MACHINE)
            peaks[key] = max(peaks.get(key, 0.0), row["flops"] / row["self_time_s"])
    return peaks


def _peak(run: Record, found: _Found) -> _Value:
    hostname, device, precision, threads = key = _key(run, _SAME_MACHINE)
    on = f"{hostname} ({device}, {precision}{'' if threads is None else f', threads: {threads:g}'})"
    return found.peak_flops_per_s.get(key, _Missing(f"no peak was measured on {on}"))


def _latencies(hotspots: pd.DataFrame) -> dict[tuple[Any, ...], float]:
    """Return seconds per batch by point, operation and percentile; repeats of a point share its timed batches."""
    rows = hotspots[hotspots["kind"].eq("latency")].dropna(subset=["self_time_s"]).to_dict("records")
    return {_key(row, (*_SAME_POINT, "operation", "name")): row["self_time_s"] for row in rows}


def _latency(run: Record, found: _Found, percentile: str) -> _Value:
    key = (*_key(run, (*_SAME_POINT, "operation")), percentile)
    return found.latency_s.get(key, _Missing("single batches are only timed at profiled points"))


def _utilisation(measurements: pd.DataFrame) -> dict[tuple[str, str, str], _Value]:
    """Return the mean load by run, operation and kind of device (cpu, gpu: mean over the GPUs)."""
    loads = measurements[measurements["quantity"].eq(Quantity.UTILISATION_MEAN)]
    cpu = loads[loads["component"].eq("machine")]
    gpu = loads[loads["component"].str.startswith("gpu")]
    found: dict[tuple[str, str, str], _Value] = {}
    for kind, table in (("cpu", cpu), ("gpu", gpu)):
        for (run_id, operation), part in table.groupby(["run_id", "operation"], observed=True):
            # Without a reading of each GPU, their mean is unknown.
            reason = next(iter(part["reason"].dropna()), "the reading has no value")
            load = part["value"].mean(skipna=False)
            found[str(run_id), str(operation), kind] = _known(load, reason)
    return found


def _busy(run: Record, found: _Found, kind: str) -> _Value:
    nothing = _Missing(f"no meter read the {kind.upper()} load")
    return found.utilisation.get((run["run_id"], run["operation"], kind), nothing)


def _of_whole_run(run: Record, found: _Found) -> dict[str, _Value]:
    """Compute the metrics of training, compression and decompression together, for the training row."""
    if run["operation"] != Operation.TRAIN:
        elsewhere = _Missing("recorded for the whole run: see train")
        return {"greenness_per_j": elsewhere, "energy_precision_j": elsewhere}
    records = found.records[run["run_id"]]
    error = _known(found.of_run[run["run_id"]]["mean_rms_over_range"], "the reconstruction error is unknown")
    serving_j = _sum_j(records, _SERVING)
    weighted = error if isinstance(error, _Missing) else error**ALPHA
    accuracy = error if isinstance(error, _Missing) else 1 - error
    return {
        "greenness_per_j": _ratio(accuracy, _sum_j(records, OPERATIONS)),
        "energy_precision_j": _product(weighted, _ratio(serving_j, float(run["rows"]))),
    }


def _sum_j(records: Mapping[str, Record], operations: Iterable[Operation]) -> _Value:
    """Sum a run's energies if evidence and scope are the same, and all of them count if the training's does."""
    train = records[Operation.TRAIN]
    total_j = 0.0
    for operation in operations:
        record = records.get(operation)
        if record is None or pd.isna(record["energy_j"]):
            return _Missing(f"{operation.value} has no energy")
        if _key(record, ("energy_evidence", "energy_scope")) != _key(train, ("energy_evidence", "energy_scope")):
            return _Missing(f"the energies of train and {operation.value} differ in evidence or components")
        if train["in_mean"] and not record["in_mean"]:
            return _Missing(f"{operation.value} is flagged: {str(record['run_flags']).replace(',', ', ')}")
        total_j += record["energy_j"]
    return total_j
