"""codecarbon's ``emissions.csv``, versions 2.2 to 3.

All versions share a core of columns; 2.2.4 added ``pue``, 2.5 ``experiment_id``, 3.x ``water_consumed``, ``wue`` and
the utilisations. Columns are read by name; unknown ones are ignored. Energies are in kWh, emissions in kg.
``timestamp`` is the end of the row, on the host's clock without a time zone. ``ram_total_size`` is in units of 2^30
bytes (codecarbon, ``output_methods/emissions_data.py`` and ``external/hardware.py``).

The rows of one ``run_id`` are running totals: ``flush()`` and ``stop()`` write the energy since the tracker was made.
Only the file of its tasks, with a ``task_name``, has the energy of each (``emissions_tracker.py``, `_persist_data`).
"""

from collections.abc import Iterator
from pathlib import Path

from baler_energy.foreign.rows import GIB, Value, Window, co2e, duration, energy
from baler_energy.foreign.tool import Reader, Tool, has_columns
from baler_energy.logs import Cells, records
from baler_energy.vocabulary import JOULES_PER_KWH, Evidence, MeterName

__all__ = ["TOOL"]

_CORE = ("timestamp", "duration", "emissions", "energy_consumed")
#: codecarbon assumes half of a TDP of 85 W for an unknown CPU (``external/hardware.py``, 2.x).
_UNKNOWN_CPU_W = 42.5
#: Largest relative difference between a row's power and this constant.
_SAME = 1e-3


def _read(text: str, path: Path) -> Iterator[Window]:
    """Yield a window per row.

    Raises
    ------
    InputError
        A row is damaged.
    """
    for cells in records(text, path):
        end, length = cells.times("timestamp", "duration", local=True)
        ram = cells.number("ram_total_size", GIB)
        own, task = cells.text("run_id"), cells.text("task_name")
        run = own or f"{path}: rows"
        yield Window(
            MeterName("codecarbon"),
            tuple(_values(cells, length)),
            start_s=end - length,
            duration_s=length,
            tool_version=cells.text("codecarbon_version"),
            cpu_model=cells.text("cpu_model"),
            gpu_model=cells.text("gpu_model"),
            ram_bytes=ram or None,
            run=f"{run}, task {task}" if task else run,
            adds_up=own is not None and task is None,
        )


def _values(cells: Cells, length: float) -> Iterator[Value]:
    yield duration(length, "codecarbon's duration column")
    cpu_j = cells.number("cpu_energy", JOULES_PER_KWH)
    yield energy("cpu", cpu_j, *_cpu_evidence(cpu_j, length), missing=_absent("cpu_energy"))
    yield _gpu(cells)
    ram = "codecarbon has no counter for RAM: watts per GB of memory, or per module, times duration"
    ram_j = cells.number("ram_energy", JOULES_PER_KWH)
    yield energy("ram", ram_j, Evidence.MODELLED, ram, missing=_absent("ram_energy"))
    total = cells.number("energy_consumed", JOULES_PER_KWH)
    # The evidence of the sum follows from its parts, see `evidence`.
    yield energy("machine", total, Evidence.UNKNOWN, "codecarbon's sum of its components")
    pue = cells.number("pue")
    factor = f", PUE {pue:g}" if pue not in (None, 1.0) else ""
    where = cells.text("country_iso_code") or "an unnamed country"
    yield co2e(cells.number("emissions"), f"energy times codecarbon's intensity for {where}{factor}")


def _cpu_evidence(cpu_j: float | None, length: float) -> tuple[Evidence, str]:
    if cpu_j and length > 0.5 and abs(cpu_j / length / _UNKNOWN_CPU_W - 1) < _SAME:
        return (
            Evidence.MODELLED,
            "42.5 W times duration: half of 85 W, which codecarbon assumes for an unknown CPU",
        )
    return (
        Evidence.UNKNOWN,
        "no column says whether codecarbon read RAPL or modelled the CPU; modelled power may also vary",
    )


def _gpu(cells: Cells) -> Value:
    model, count = cells.text("gpu_model"), cells.number("gpu_count")
    value = cells.number("gpu_energy", JOULES_PER_KWH)
    if model and "apple" in model.lower():
        said = Evidence.UNKNOWN, "powermetrics, which estimates by an undocumented method"
    else:
        said = Evidence.MEASURED, "codecarbon does not model GPUs: it reads their driver's counter (NVML for NVIDIA)"
    zero = "codecarbon found no GPU (gpu_count is empty or 0) and writes 0"
    if count:
        zero = f"codecarbon writes 0 for {model or 'a GPU'}: it read nothing, or less than one tick of the counter"
    return energy("gpu", value, *said, missing=_absent("gpu_energy"), zero=zero, absent=not count and not value)


def _absent(column: str) -> str:
    return f"the file has no value in column {column}"


TOOL = Tool("codecarbon", "emissions.csv of codecarbon", table=Reader(has_columns(*_CORE), _read), counts_gpu=True)
