"""eco2ai's ``emission.csv``.

Each row has one energy (kWh) for CPU, GPU and RAM together, and emissions (kg). ``start_time`` is on the host's clock
without a time zone. The CPU part is TDP times utilisation, the RAM part 3/8 W per GB in use, the GPU part sampled NVML
power (eco2ai, ``emission_track.py`` and ``tools/``).
"""

import re
from collections.abc import Iterator
from pathlib import Path

from baler_energy.foreign.rows import Window, co2e, duration, energy
from baler_energy.foreign.tool import Reader, Tool, has_columns
from baler_energy.logs import Cells, records
from baler_energy.vocabulary import JOULES_PER_KWH, Evidence, MeterName

__all__ = ["TOOL"]

_CORE = ("start_time", "duration(s)", "power_consumption(kWh)", "CO2_emissions(kg)")
_TDP = re.compile(r"TDP:\s*(\d+(?:\.\d+)?)", re.ASCII)
_EPOCH = re.compile(r"epoch:\s*(\d{1,9})(?!\d)", re.ASCII)


def _read(text: str, path: Path) -> Iterator[Window]:
    """Yield a window per row.

    Raises
    ------
    InputError
        A row is damaged.
    """
    for cells in records(text, path):
        start, length = cells.times("start_time", "duration(s)", local=True)
        total, kg = cells.number("power_consumption(kWh)", JOULES_PER_KWH), cells.number("CO2_emissions(kg)")
        where = cells.text("region/country") or "an unnamed country"
        epoch = _EPOCH.search(cells.text("epoch") or "")
        yield Window(
            MeterName("eco2ai"),
            (
                duration(length, "eco2ai's duration column"),
                energy("machine", total, Evidence.MODELLED, _assumptions(cells)),
                co2e(kg, f"energy times eco2ai's intensity for {where}"),
            ),
            start_s=start,
            duration_s=length,
            epoch=int(epoch[1]) if epoch else None,
            cpu_model=(cells.text("CPU_name") or "").split("/")[0] or None,
            gpu_model=_gpu_model(cells.text("GPU_name") or ""),
            run=cells.text("id") or f"{path}: rows",
        )


def _gpu_model(text: str) -> str | None:
    """Name of the GPU in a cell such as ``Tesla T4 1 device(s)``; None if there is none, as in ``CPU 0 device(s)``."""
    words, found, _ = text.partition(" device(s)")
    name = words.rstrip("0123456789") if found else words
    return None if found and not words.removeprefix(name).strip("0") else name.strip() or None


def _assumptions(cells: Cells) -> str:
    found = _TDP.search(cells.text("CPU_name") or "")
    watts = f"a TDP of {float(found[1]):g} W" if found else "a TDP"
    return (
        f"one number for all components: the CPU is {watts} times utilisation, RAM 0.375 W/GB in use, "
        "and only a GPU is read by a sensor (NVML power, sampled)"
    )


TOOL = Tool("eco2ai", "tables of eco2AI", table=Reader(has_columns(*_CORE), _read))
