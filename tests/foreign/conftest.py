"""Small files in the format of each tool, written here."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

START_S = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
XEON = "Intel(R) Xeon(R) Test CPU"
GB = 2.0**30
KWH = 3.6e6

#: Columns in front of, between and behind the core, by version.
_EXTRA = {
    "2.2.0": ((), ()),
    "2.3.1": ((), ("pue",)),
    "2.8.3": (("experiment_id",), ("pue",)),
    "3.3.2": (("experiment_id",), ("cpu_utilization_percent", "ram_used_gb", "pue", "wue", "water_consumed")),
}

Write = Callable[..., Path]


def date(seconds: float, separator: str = "T") -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(f"%Y-%m-%d{separator}%H:%M:%S")


def codecarbon_text(
    durations: Sequence[float] = (10.0, 20.0, 30.0),
    *,
    ends: Sequence[float] | None = None,
    version: str = "2.3.1",
    cpu_w: Sequence[float] | float = 42.0,
    gpu_w: Sequence[float] | float = 0.0,
    ram_gb: float = 160.0,
    gpus: int | None = 0,
    cpu_model: str = XEON,
) -> str:
    front, behind = _EXTRA[version]
    names = ["timestamp", "project_name", "run_id", *front, "duration", "emissions", "cpu_energy", "gpu_energy"]
    names += ["ram_energy", "energy_consumed", "country_iso_code", "codecarbon_version", "cpu_model", "gpu_count"]
    names += ["gpu_model", "ram_total_size", *behind]
    lines = [",".join(names)]
    for number, length in enumerate(durations):
        cpu = (cpu_w if isinstance(cpu_w, float) else cpu_w[number]) * length / KWH
        gpu = (gpu_w if isinstance(gpu_w, float) else gpu_w[number]) * length / KWH
        ram = 0.375 * ram_gb * length / KWH
        cells = {
            "timestamp": date(ends[number] if ends is not None else START_S + 100 * (number + 1)),
            "project_name": '"a, b"',
            "run_id": f"r{number}-{length:g}",
            "duration": length,
            "emissions": 0.4 * (cpu + gpu + ram),
            "cpu_energy": cpu,
            "gpu_energy": gpu,
            "ram_energy": ram,
            "energy_consumed": cpu + gpu + ram,
            "country_iso_code": "CHE",
            "codecarbon_version": version,
            "cpu_model": cpu_model,
            "gpu_count": "" if gpus is None else gpus,
            "gpu_model": f"{gpus} x Tesla T4" if gpus else "",
            "ram_total_size": ram_gb,
        }
        lines.append(",".join(str(cells.get(name, 1.0)) for name in names))
    return "\n".join(lines) + "\n"


def eco2ai_text(durations: Sequence[float] = (10.0, 20.0, 30.0), watts: float = 40.0) -> str:
    names = "id,project_name,experiment_description,epoch,start_time,duration(s),power_consumption(kWh),"
    lines = [names + "CO2_emissions(kg),CPU_name,GPU_name,OS,region/country,cost"]
    start = START_S
    for number, length in enumerate(durations):
        kwh = watts * (1 + 0.1 * (number % 3)) * length / KWH
        epoch = f'"epoch: {number + 1}, loss: 0.1, "'
        cpu = f'"{XEON}/1 device(s), TDP:100.0"'
        lines.append(
            f"x,p,d,{epoch},{date(start, ' ')},{length},{kwh},{kwh * 0.05},{cpu}, 1 device(s),Linux,CH/Zurich,0"
        )
        start += length
    return "\n".join(lines) + "\n"


def pyjoules_text(durations: Sequence[float] = (10.0, 20.0, 30.0), watts: float = 50.0) -> str:
    lines = ["timestamp;tag;duration;package_0;dram_0;nvidia_gpu_0"]
    lines += [
        f"{START_S + 100 * n};fit;{t};{10 * t * 1e6};{2 * t * 1e6};{watts * t * 1e3:.0f}"
        for n, t in enumerate(durations)
    ]
    return "\n".join(lines) + "\n"


def pyjoules_log_text(
    durations: Sequence[float] = (10.0, 20.0, 30.0), watts: float = 50.0, start: float = START_S
) -> str:
    lines = ["Device: cuda:0"]
    for number, length in enumerate(durations):
        lines.append(f"Epoch {number + 1} of {len(durations)}")
        lines.append(
            f"begin timestamp : {start}; tag : fit; duration : {length}; nvidia_gpu_0 : {watts * length * 1e3:.0f}"
        )
        start += length + 0.01
    return "\n".join(lines) + "\n"


def zeus_log_text(durations: Sequence[float] = (10.0, 20.0, 30.0), watts: float = 50.0, start: float = START_S) -> str:
    lines = ["Device: cuda:0", f"[{date(start, ' ')},000] [ZeusMonitor](energy.py:157) Monitoring GPU [0]."]
    for number, length in enumerate(durations):
        said = "[ZeusMonitor](energy.py:329) Measurement window 'epoch'"
        lines.append(f"Epoch {number + 1} of {len(durations)}")
        lines.append(f"[{date(start, ' ')},{int(start * 1000) % 1000:03d}] {said} started.")
        start += length
        lines.append(f"[{date(start, ' ')},{int(start * 1000) % 1000:03d}] {said} ended.")
        lines.append(f"Epoch {number} consumed {length} s and {watts * length} J.")
    return "\n".join(lines) + "\nOne step took 1 s and 50 J on average.\n"


def zeus_csv_text() -> str:
    return f"start_time,window_name,elapsed_time,gpu0_energy,gpu1_energy\n{START_S},epoch,10.0,500.0,400.0\n"


def carbontracker_text(cpu: str = "cpu:0") -> str:
    stamp = date(START_S, " ")
    return "\n".join(
        [
            f"{stamp} - carbontracker version 2.4.7",
            f"{stamp} - The following components were found: GPU with device(s) Tesla T4. CPU with device(s) {cpu}.",
            f"{stamp} - Epoch 1:",
            f"{stamp} - Duration: 0:01:40.50",
            f"{stamp} - Average power usage (W) for gpu: [50.0]",
            f"{stamp} - Average power usage (W) for cpu: 20.0",
            f"{stamp} - Epoch 2:",
            f"{stamp} - Duration: 0:00:00.50",
            f"{stamp} - Average power usage (W) for gpu: None",
            f"{stamp} - Average power usage (W) for cpu: [20.0 10.0]",
            f"{stamp} - Monitoring thread ended.",
            "",
        ]
    )


def carbontracker_output_text() -> str:
    stamp = date(START_S, " ")
    total = "\tTime:\t{}\n\tEnergy:\t{} kWh\n\tCO2eq:\t{} g\n\tThis is equivalent to:\n\t0.1 km travelled by car"
    return (
        f"{stamp} - CarbonTracker: The following components were found: GPU with device(s) Tesla T4.\n"
        f"{stamp} - CarbonTracker: \nActual consumption for 2 epoch(s):\n{total.format('0:01:41', '0.001', '0.5')}\n"
        f"{stamp} - CarbonTracker: \nPredicted consumption for 9 epoch(s):\n{total.format('0:09:00', '0.01', '5')}\n"
    )


#: A file of each kind.
TEXTS: dict[str, Callable[..., str]] = {
    "codecarbon": codecarbon_text,
    "eco2ai": eco2ai_text,
    "pyjoules": pyjoules_text,
    "pyjoules_log": pyjoules_log_text,
    "zeus_log": zeus_log_text,
    "zeus_csv": zeus_csv_text,
    "carbontracker": carbontracker_text,
    "carbontracker_output": carbontracker_output_text,
}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes a file of a kind, with options of that kind, and returns its path."""

    def _write(kind: str, *args: object, name: str = "", **options: object) -> Path:
        path = tmp_path / (name or f"{kind}.txt")
        path.write_text(TEXTS[kind](*args, **options), encoding="utf-8")
        return path

    return _write


@pytest.fixture(scope="session")
def texts() -> dict[str, str]:
    """Text of a file of each kind."""
    return {name: make() for name, make in TEXTS.items()}
