"""Published estimates of a run's energy and CO2e from hours and watts, without measuring energy."""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from baler_energy.analysis.carbon import codecarbon_file
from baler_energy.analysis.electricity import Electricity, times_of
from baler_energy.analysis.totals import primary_readings
from baler_energy.records import Measurement
from baler_energy.vocabulary import JOULES_PER_KWH, Evidence, MeterName, Quantity

__all__ = ["FormulaResult", "cpu_tdp_w", "formula_rows", "green_algorithms", "ml_co2", "strubell"]

#: PUE and US emissions (pounds of CO2 per kWh) in Strubell et al. 2019, arXiv 1906.02243, equations 1 and 2.
_STRUBELL_PUE = 1.58
_STRUBELL_KG_PER_KWH = 0.954 * 0.45359237
#: Power of memory per GB in Lannelongue et al. 2021, doi 10.1002/advs.202100707.
_MEMORY_W_PER_GB = 0.3725


@dataclass(frozen=True)
class FormulaResult:
    """Energy (J) and CO2e (kg; None: unknown carbon intensity) by a formula, with its inputs in words."""

    energy_j: float
    co2e_kg: float | None
    assumptions: str


def strubell(duration_s: float, cpu_w: float, ram_w: float, gpu_w: float) -> FormulaResult:
    """Estimate by Strubell et al. 2019 (arXiv 1906.02243).

    ``p_t = 1.58 t (p_c + p_r + g p_g) / 1000`` kWh with t in hours and mean powers in W, and 0.954 pounds of CO2 per
    kWh. 1.58 is a PUE, so the site's PUE is not applied.

    Parameters
    ----------
    duration_s
        Length of the run (s).
    cpu_w, ram_w, gpu_w
        Mean powers of processors, memory and all GPUs (W).
    """
    energy_j = _STRUBELL_PUE * duration_s * (cpu_w + ram_w + gpu_w)
    return FormulaResult(
        energy_j,
        energy_j / JOULES_PER_KWH * _STRUBELL_KG_PER_KWH,
        f"{cpu_w:.3g} W CPU, {ram_w:.3g} W memory, {gpu_w:.3g} W GPU; its own PUE of 1.58 and 0.433 kg/kWh",
    )


def green_algorithms(
    duration_s: float,
    *,
    cpu_tdp_w: float,
    usage: float,
    gpu_tdp_w: float,
    memory_bytes: float,
    pue: float,
    intensity_g_per_kwh: float | None,
) -> FormulaResult:
    """Estimate by Green Algorithms (Lannelongue et al. 2021, doi 10.1002/advs.202100707).

    ``E = t (n_c P_c u_c + n_m P_m) PUE`` with the cores' power at full use, their usage, and 0.3725 W for each GB of
    available memory. The factor for multiple runs is 1, and GPUs count at full use.

    Parameters
    ----------
    duration_s
        Length of the run (s).
    cpu_tdp_w
        Power of the cores at full use, ``n_c P_c`` (W).
    usage
        Mean usage of the cores, 0 to 1.
    gpu_tdp_w
        Power of the GPUs at full use (W); 0: none.
    memory_bytes
        Available memory (B); 1 GB is 1e9 B.
    pue
        PUE of the site.
    intensity_g_per_kwh
        Carbon intensity; None: energy only.
    """
    memory_gb = memory_bytes / 1e9
    energy_j = duration_s * (cpu_tdp_w * usage + gpu_tdp_w + memory_gb * _MEMORY_W_PER_GB) * pue
    return FormulaResult(
        energy_j,
        _co2e_kg(energy_j, intensity_g_per_kwh),
        f"TDP {cpu_tdp_w:g} W x usage {usage:.2f}{f', GPU {gpu_tdp_w:g} W' if gpu_tdp_w else ''}, "
        f"{memory_gb:.1f} GB x {_MEMORY_W_PER_GB} W/GB, PUE {pue:g}",
    )


def ml_co2(duration_s: float, tdp_w: float, intensity_g_per_kwh: float | None) -> FormulaResult:
    """Estimate by the ML Emissions Calculator (Lacoste et al. 2019, arXiv 1910.09700): hours x TDP x intensity.

    Parameters
    ----------
    duration_s
        Length of the run (s).
    tdp_w
        Thermal design power of the hardware (W).
    intensity_g_per_kwh
        Carbon intensity; None: energy only.
    """
    energy_j = duration_s * tdp_w
    return FormulaResult(energy_j, _co2e_kg(energy_j, intensity_g_per_kwh), f"TDP {tdp_w:g} W at all times, no PUE")


def _co2e_kg(energy_j: float, intensity_g_per_kwh: float | None) -> float | None:
    return None if intensity_g_per_kwh is None else energy_j / JOULES_PER_KWH * intensity_g_per_kwh / 1000


def cpu_tdp_w(cpu_model: str | None) -> float | None:
    """Look a CPU up in codecarbon's table of thermal design powers (W); None if it is not in the table."""
    return _tdp_table().get(_plain_name(cpu_model or ""))


@cache
def _tdp_table() -> dict[str, float]:
    path = codecarbon_file("hardware", "cpu_power.csv")
    if path is None:
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = [(row["Name"], row["TDP"]) for row in csv.DictReader(file)]
    # Some rows have several powers, such as 27.29.5; the right one is unknown.
    return {_plain_name(name): float(tdp) for name, tdp in rows if re.fullmatch(r"\d+(\.\d+)?", tdp)}


def _plain_name(name: str) -> str:
    """Reduce a CPU's name to what identifies it: no trademark signs, CPU, Processor, number of cores, clock."""
    name = re.sub(r"\((r|tm|c)\)|@.*|\b(cpu|processor|\d+-core)\b|with radeon.*", " ", name.lower())
    return " ".join(name.split())


#: Our columns of a row that cannot be compared with our energy.
_NOT_COMPARED: Mapping[str, Any] = dict.fromkeys(("ours_j", "ours_scope", "ours_evidence"))


def formula_rows(
    record: Measurement, *, cpu_tdp_w: float | None, gpu_tdp_w: float | None, electricity: Electricity
) -> list[dict[str, Any]]:
    """Rows of ``peers`` without the point's columns: each formula's estimate for a record's window, and our energy.

    Parameters
    ----------
    record
        The record of one operation.
    cpu_tdp_w, gpu_tdp_w
        Thermal design powers (W); None: the CPU's is looked up in codecarbon's table, the GPU's is unknown.
    electricity
        Intensity and PUE of the study.
    """
    rows = []
    common = {"operation": record.operation, "kind": "formula", "duration_s": record.window.duration_s}
    ours = _ours(record)
    for tool, result in _estimates(record, cpu_tdp_w, gpu_tdp_w, electricity).items():
        estimate = result if isinstance(result, FormulaResult) else None
        reason = None if isinstance(result, FormulaResult) else result
        values = (estimate.energy_j, estimate.co2e_kg) if estimate else (None, None)
        for quantity, value in zip((Quantity.ENERGY, Quantity.CO2E), values, strict=True):
            ours_side = ours if quantity is Quantity.ENERGY else _NOT_COMPARED
            known = common | {"tool": tool, "assumptions": estimate.assumptions if estimate else None}
            rows.append(known | _row(quantity, value, reason, ours_side))
    return rows


def _estimates(
    record: Measurement, cpu_w: float | None, gpu_w: float | None, electricity: Electricity
) -> dict[MeterName, FormulaResult | str]:
    """Each formula's estimate, or why it is missing."""
    duration_s, host = record.window.duration_s, record.provenance["machine"]
    uses_gpu = record.parameters.get("device") == "cuda"
    intensity = electricity.intensity_g_per_kwh(*times_of(record))
    powers = primary_readings(record.readings, Quantity.POWER_MEAN, uses_gpu=uses_gpu)
    watts = {name: reading.value for name, reading in powers.items() if reading.value is not None}
    cpu_w = cpu_w or cpu_tdp_w(host.get("cpu_model"))
    usage = _usage(record)
    found: dict[MeterName, FormulaResult | str] = {}
    if "cpu" in watts:
        memory_w = watts.get("dram", watts.get("ram", 0.0))
        found[MeterName.STRUBELL] = strubell(duration_s, watts["cpu"], memory_w, watts.get("gpu", 0.0))
    else:
        found[MeterName.STRUBELL] = "no meter reported the CPU power"
    no_cpu = f"the TDP of {host.get('cpu_model') or 'the CPU'} is not in codecarbon's table: set peers.cpu_tdp_w"
    no_gpu = "the GPU's TDP is unknown: set peers.gpu_tdp_w"
    if cpu_w is None or (uses_gpu and gpu_w is None):
        found[MeterName.GREEN_ALGORITHMS] = no_cpu if cpu_w is None else no_gpu
    elif usage is None:
        found[MeterName.GREEN_ALGORITHMS] = "the CPU load was not sampled"
    else:
        found[MeterName.GREEN_ALGORITHMS] = green_algorithms(
            duration_s,
            cpu_tdp_w=cpu_w,
            usage=usage,
            gpu_tdp_w=(gpu_w or 0.0) if uses_gpu else 0.0,
            memory_bytes=host["memory_bytes"],
            pue=electricity.pue,
            intensity_g_per_kwh=intensity,
        )
    device_w = gpu_w if uses_gpu else cpu_w
    found[MeterName.ML_CO2] = (
        ml_co2(duration_s, device_w, intensity) if device_w is not None else (no_gpu if uses_gpu else no_cpu)
    )
    return found


def _usage(record: Measurement) -> float | None:
    loads = [r.value for r in record.readings if (r.component, r.quantity) == ("machine", Quantity.UTILISATION_MEAN)]
    return loads[0] if loads else None


def _ours(record: Measurement) -> Mapping[str, Any]:
    """Our energy in the same window; null if part is measured and part modelled, as those are never added."""
    uses_gpu = record.parameters.get("device") == "cuda"
    ours = primary_readings(record.readings, Quantity.ENERGY, uses_gpu=uses_gpu)
    evidences = {reading.evidence for reading in ours.values()}
    if len(evidences) != 1:
        return _NOT_COMPARED
    energy_j = sum(reading.value or 0.0 for reading in ours.values())
    return {"ours_j": energy_j, "ours_scope": "+".join(ours), "ours_evidence": evidences.pop()}


def _row(quantity: Quantity, value: float | None, reason: str | None, ours_side: Mapping[str, Any]) -> dict[str, Any]:
    if value is None and reason is None:
        reason = "the study sets no carbon intensity"
    ours_j = ours_side["ours_j"]
    return {
        "component": "machine",
        "quantity": quantity,
        "evidence": Evidence.MODELLED,
        "value": value,
        "unit": quantity.unit,
        **ours_side,
        "ratio": value / ours_j if value is not None and ours_j else None,
        "reason": reason,
    }
