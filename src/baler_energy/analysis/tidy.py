"""Rows of the tidy tables from the records of runs: pure functions, one per table."""

import functools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from baler_energy.analysis.carbon import sci_kg_per_gb
from baler_energy.analysis.electricity import Electricity, times_of
from baler_energy.analysis.schema import POINT
from baler_energy.analysis.schema_errors import RUN_ERRORS
from baler_energy.analysis.totals import Total, primary_readings, relevant_flags, total
from baler_energy.records import IterationTimes, Measurement, Reading
from baler_energy.vocabulary import NODE_METERS, Evidence, Quantity

if TYPE_CHECKING:
    from baler_energy.config.sections import Embodied

__all__ = [
    "POINT_KEYS",
    "energy_j",
    "flags_of",
    "history_table",
    "measurement_rows",
    "point_values",
    "run_row",
    "window_values",
]

#: Quantities that grow with the number of iterations.
ADDITIVE = frozenset(
    {
        Quantity.ENERGY,
        Quantity.DYNAMIC_ENERGY,
        Quantity.DURATION,
        Quantity.CPU_TIME,
        Quantity.BYTES_READ,
        Quantity.BYTES_WRITTEN,
        Quantity.CO2E,
    }
)

POINT_KEYS = tuple(column.name for column in POINT if column.name != "run_id")

#: What the summary of a run's errors states.
ERROR_KEYS = (
    *(line.partition(" ")[0] for line in RUN_ERRORS.split("\n") if line),
    "ratio_float64_bytes",
    "ratio_native_bytes",
    "ratio_source_bytes",
    "ratio_float64_bytes_with_model",
    "ratio_native_bytes_with_model",
    "ratio_source_bytes_with_model",
    "source_bytes_reason",
    "native_bytes",
    "compressed_bytes",
)

#: Properties of the SLURM job that are columns, with the prefix `slurm_`.
SLURM_KEYS = ("job_id", "node", "partition", "cpus", "gpus", "memory_bytes", "exclusive")
#: Sizes of the latents, as computed and as stored in the compressed file, and of its corrections.
STORED_KEYS = ("latent_bytes", "stored_latent_bytes", "correction_bytes")


def point_values(record: Measurement) -> dict[str, Any]:
    """Return the columns that identify a run's point, from its record."""
    return {"run_id": record.run_id} | {key: record.parameters.get(key) for key in POINT_KEYS}


def measurement_rows(record: Measurement, electricity: Electricity) -> list[dict[str, Any]]:
    """Rows of ``measurements`` without the point's columns: a row per reading, and the CO2e of each energy."""
    primary = primary_readings(record.readings, Quantity.ENERGY, uses_gpu=_uses_gpu(record)).values()
    chosen = {id(reading) for reading in primary}
    energies = [reading for reading in record.readings if reading.quantity == Quantity.ENERGY]
    readings = [*record.readings, *(_co2e(reading, record, electricity) for reading in energies)]
    return [
        # As a dictionary: reading attributes one by one takes several times longer, with dozens of readings per record.
        # Only other tools' readings have a scope, and these have a separate table; the flags say what failed.
        {name: value for name, value in vars(reading).items() if name not in ("scope", "failed")}
        | {"primary": id(reading) in chosen, "value_per_iteration": _per_iteration(reading, record.iterations)}
        for reading in readings
    ]


def run_row(
    record: Measurement,
    errors: dict[str, Any],
    electricity: Electricity,
    *,
    at_centre: bool,
    embodied: "Embodied | None" = None,
) -> dict[str, Any]:
    """Row of ``runs``: values per iteration of one operation, with the run's errors and ratios."""
    iterations = record.iterations
    duration_s = record.window.duration_s / iterations
    energy = _energy(record)
    used_j, native_bytes = energy["energy_j"], errors.get("native_bytes")
    results = record.results
    wrong, notes = flags_of(record)
    return {
        **point_values(record),
        "operation": record.operation.value,
        "in_mean": wrong is None,
        "at_centre": at_centre,
        # Of the runs at the centre; `first_page_runs` leaves some of them out when all are known.
        "at_reference": at_centre,
        "window_start": record.window.start,
        "duration_s": duration_s,
        "window_s": record.window.duration_s,
        "iterations": iterations,
        **{f"duration_{key}": getattr(record.iteration_times, key, None) for key in IterationTimes.model_fields},
        **energy,
        "energy_j_per_mb": used_j / native_bytes * 1e6 if used_j is not None and native_bytes else None,
        "power_mean_w": None if used_j is None else used_j / duration_s,
        **_node(record),
        **_rates(record, used_j, native_bytes, electricity, embodied),
        "cpu_time_s": _value(record, Quantity.CPU_TIME, iterations),
        "memory_peak_b": _value(record, Quantity.MEMORY_PEAK),
        "gpu_memory_peak_b": _value(record, Quantity.GPU_MEMORY_PEAK),
        "contamination": record.contamination.fraction,
        "contamination_limit": record.contamination.limit,
        "run_flags": wrong,
        "run_notes": notes,
        "idle_shared": None if record.idle is None else record.idle.shared,
        **_learned(record),
        **{key: errors.get(key) for key in ERROR_KEYS},
        **_stored(results),
        **{key: results.get(key) for key in ("startup_s", "coder_startup_s", "runtime_deviation", "runtime_reason")},
        **_machine(record.provenance),
    }


def _learned(record: Measurement) -> dict[str, Any]:
    """Collect what the training of a network has recorded; null for everything else."""
    results = record.results
    return {
        "seed": record.parameters.get("seed"),
        **{key: results.get(key) for key in ("final_loss", "flops", "parameters")},
        "loss_per_value": _loss_per_value(record, results.get("final_loss")),
        "peak_learning_rate": results.get("learning_rate"),
        **{key: results.get(key) for key in ("epochs_run", "stopped_at_gain_epoch", "stopped_at_gain_by")},
    }


def _rates(
    record: Measurement, used_j: float | None, native_bytes: Any, electricity: Electricity, embodied: "Embodied | None"
) -> dict[str, Any]:
    """CO2e, cost of electricity, embodied emissions and, with them, Software Carbon Intensity of one iteration."""
    window = times_of(record)
    emitted_kg = electricity.co2e_kg(used_j, *window)
    share_kg = None if embodied is None else embodied.co2e_kg(record.window.duration_s / record.iterations)
    sci = None
    if emitted_kg is not None and share_kg is not None and native_bytes:
        sci = sci_kg_per_gb(emitted_kg, share_kg, native_bytes)
    return {
        "co2e_kg": emitted_kg,
        "carbon_intensity_g_per_kwh": electricity.intensity_g_per_kwh(*window),
        "pue": electricity.pue,
        "electricity_cost": electricity.cost(used_j),
        "price_per_kwh": electricity.price_per_kwh,
        "currency": electricity.currency,
        "embodied_co2e_kg": share_kg,
        "sci_kg_per_gb": sci,
        "embodied_source": None if embodied is None else str(embodied),
    }


def energy_j(record: Measurement) -> float | None:
    """Energy of one iteration (J) as in ``runs``: measured if available, else modelled."""
    value: float | None = _energy(record)["energy_j"]
    return value


def flags_of(record: Measurement) -> tuple[str | None, str | None]:
    """Return ``run_flags`` and ``run_notes`` as in ``runs``, of the flags that concern the run's energy."""
    return relevant_flags(record.flags, record.readings, uses_gpu=_uses_gpu(record))


def _loss_per_value(record: Measurement, loss: Any) -> Any:
    """Divide losses, each a mean over batches of the squared error summed over a batch, by the rows of a batch.

    The result is the mean squared error of a normalised value, which does not depend on the batch size.
    """
    rows, batch_size = (record.parameters.get(name) for name in ("rows", "batch_size"))
    if loss is None or not isinstance(rows, int) or not isinstance(batch_size, int):
        return None
    return loss * (math.ceil(rows / batch_size) / rows)


def _stored(results: Mapping[str, Any]) -> dict[str, Any]:
    """Split the gain of a compression into those of autoencoder and packing; null for other operations."""
    sizes: list[Any] = [results.get(key) for key in STORED_KEYS]
    (latents, stored, corrections), known = sizes, None not in sizes
    kinds = {"float64": results.get("input_float64_bytes"), "native": results.get("native_bytes")}
    gained = {
        f"ratio_autoencoder_{kind}_bytes": size / latents if known and size is not None else None
        for kind, size in kinds.items()
    }
    packed = latents / (stored + corrections) if known else None
    return dict(zip(STORED_KEYS, sizes, strict=True)) | gained | {"ratio_packing": packed}


def window_values(record: Measurement) -> dict[str, Any]:
    """Return the columns of ``samples`` that are the same for all of a window's time series."""
    return point_values(record) | {"operation": record.operation.value, "window_s": record.window.duration_s}


def history_table(record: Measurement, history: pa.Table) -> tuple[pa.Table, str | None]:
    """Columns of ``history`` that change with the epoch, such as loss and energy so far; and the energy's evidence.

    If every component of the run's energy was read at the end of each epoch, these readings are summed. Otherwise the
    energy of the whole training is divided by time, which is a model; null if the epochs' durations are unknown.
    """
    energy = _energy(record)
    scope = energy["energy_scope"].split("+") if energy["energy_scope"] else []
    chosen = primary_readings(record.readings, Quantity.ENERGY, uses_gpu=_uses_gpu(record))
    columns = [f"energy_j:{chosen[component].meter}/{component}" for component in scope]
    elapsed_s = pc.cumulative_sum(history["duration_s"])
    evidence = None
    energy_j: Any = pa.nulls(len(history), pa.float64())
    if scope and set(columns) <= set(history.column_names):
        evidence = energy["energy_evidence"]
        energy_j = functools.reduce(pc.add, (history[column] for column in columns))
    elif energy["energy_j"] is not None and not elapsed_s.null_count:
        evidence = Evidence.MODELLED.value
        energy_j = pc.multiply(pc.divide(elapsed_s, elapsed_s[-1]), energy["energy_j"])
    own = {name: history[name] for name in ("epoch", "loss", "duration_s")}
    per_value = [_loss_per_value(record, loss) for loss in history["loss"].to_pylist()]
    own |= {"loss_per_value": pa.array(per_value, pa.float64()), "elapsed_s": elapsed_s, "energy_j": energy_j}
    return pa.table(own), evidence


def _energy(record: Measurement) -> dict[str, Any]:
    """Energies of one iteration: measured and modelled; the run's energy is the first that is not of memory alone."""
    uses_gpu = _uses_gpu(record)

    def of(quantity: Quantity, evidence: Evidence) -> Total | None:
        return total(record.readings, quantity, evidence, uses_gpu=uses_gpu)

    measured, modelled = of(Quantity.ENERGY, Evidence.MEASURED), of(Quantity.ENERGY, Evidence.MODELLED)
    kinds = ((measured, Evidence.MEASURED), (modelled, Evidence.MODELLED))
    whole = ((found, kind) for found, kind in kinds if found and found.has_processor)
    chosen, evidence = next(whole, (None, Evidence.MODELLED))
    dynamic = of(Quantity.DYNAMIC_ENERGY, Evidence.MEASURED)
    idle = total(record.idle.readings, Quantity.IDLE_POWER, evidence, uses_gpu=uses_gpu) if record.idle else None
    return {
        "energy_j": _each(chosen, record.iterations),
        "energy_evidence": evidence.value if chosen else None,
        "energy_scope": chosen.scope if chosen else None,
        "energy_measured_j": _each(measured, record.iterations),
        "energy_modelled_j": _each(modelled, record.iterations),
        # Null unless every component of the energy has a baseline: the difference would be too large.
        "dynamic_energy_j": _each(dynamic, record.iterations)
        if dynamic and measured and dynamic.scope == measured.scope
        else None,
        "idle_power_w": idle.energy_j if idle and chosen and idle.scope == chosen.scope else None,
    }


def _each(value: Total | None, iterations: int) -> float | None:
    return None if value is None else value.energy_j / iterations


def _per_iteration(reading: Reading, iterations: int) -> float | None:
    if reading.value is None or reading.quantity not in ADDITIVE:
        return reading.value
    return reading.value / iterations


def _co2e(reading: Reading, record: Measurement, electricity: Electricity) -> Reading:
    """CO2e of an energy reading; always modelled, since the intensity is a grid's mean."""
    window = times_of(record)
    return Reading.of(
        reading.meter,
        reading.component,
        Quantity.CO2E,
        electricity.co2e_kg(reading.value, *window),
        Evidence.MODELLED,
        reading.reason or electricity.reason(*window),
    )


def _node(record: Measurement) -> dict[str, Any]:
    """Energy of the whole node for one iteration, from the first meter that has it."""
    readings = {r.meter: r.value for r in record.readings if (r.component, r.quantity) == ("node", Quantity.ENERGY)}
    for meter in NODE_METERS:
        value = readings.get(meter)
        if value is not None:
            return {"node_energy_j": value / record.iterations, "node_meter": meter.value}
    return {"node_energy_j": None, "node_meter": None}


def _value(record: Measurement, quantity: Quantity, iterations: int = 1) -> float | None:
    """Return the value of a quantity that only one meter reads."""
    values = [r.value for r in record.readings if r.quantity == quantity and r.value is not None]
    return values[0] / iterations if values else None


def _uses_gpu(record: Measurement) -> bool:
    return record.parameters.get("device") == "cuda"


def _machine(facts: dict[str, Any]) -> dict[str, Any]:
    machine, job = facts.get("machine", {}), facts.get("slurm") or {}
    return {
        "hostname": machine.get("hostname"),
        "cpu_model": machine.get("cpu_model"),
        "gpu_model": ", ".join(gpu["name"] for gpu in machine.get("gpus", [])),
        "virtualised": machine.get("virtualised"),
        **{f"slurm_{name}": job.get(name) for name in SLURM_KEYS},
        "source_fingerprint": facts.get("source"),
    }
