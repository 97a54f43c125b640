"""carbontracker's logs: the standard log (epochs) and the ``output`` log (totals).

For each epoch, the standard log has a duration and the mean power (W) of each component. Its lines begin with the date
of the epoch's end, on the host's clock without a time zone. The output log has energy (kWh) and CO2eq (g), multiplied
by a PUE (carbontracker, ``tracker.py`` and ``loggerutil.py``). Predictions are not readings and are left out. Powers of
several devices are a NumPy array, which has a new line after 75 characters.
"""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from baler_energy.errors import InputError
from baler_energy.foreign.rows import Value, Window, co2e, duration, energy
from baler_energy.foreign.tool import Reader, Tool
from baler_energy.logs import local_seconds, number
from baler_energy.vocabulary import JOULES_PER_KWH, Evidence, MeterName

__all__ = ["TOOL"]

_DATE = r"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) - "
_DATED = re.compile(_DATE, re.ASCII)
_LOG = re.compile(
    rf"{_DATE}(carbontracker version|CarbonTracker:|Average power usage \(W\) for )|^CarbonTracker:", re.MULTILINE
)
# Bounded, since they are repeated for each epoch.
_VERSION = re.compile(r"carbontracker version (\S{1,100})")
_FOUND = re.compile(r"The following components were found:(.{0,10000})")
#: Powers of different devices are not equal in that many digits.
_DIGITS = 6
_DEVICES = re.compile(r"\s*(\w+) with device\(s\) (.*)")
_EPOCH = re.compile(_DATE + r"Epoch (\d{1,9}):", re.ASCII)
_DURATION = re.compile(_DATE + r"Duration: (.*)", re.ASCII)
_POWER = re.compile(_DATE + r"Average power usage \(W\) for (\w+): (.*)", re.ASCII | re.DOTALL)
_TOTAL = re.compile(r"Actual consumption(?: for (\d+) epoch\(s\))?:", re.ASCII)
_FIELD = re.compile(r"\s*(Time|Energy|CO2eq):\s*(\S+)\s*(\S*)")
#: Units of the fields.
_FIELDS = {"Time": "", "Energy": "kWh", "CO2eq": "g"}
_CLOCK = re.compile(r"(\d{1,6}):(\d\d):(\d\d(?:\.\d{1,9})?)", re.ASCII)
#: Names of RAPL domains. If the log has the CPU's brand name instead, carbontracker only used its TDP.
_RAPL = re.compile(r"(cpu|dram):\d+(, (cpu|dram):\d+)*")
#: Names of components on Apple silicon.
_APPLE = ("CPU", "GPU, ANE")

Devices = dict[str, str]


def _log_looks_like(text: str) -> bool:
    """Whether `text` is a carbontracker log."""
    return _LOG.search(text) is not None


def _read_log(text: str, path: Path) -> Iterator[Window]:
    """Yield a window per epoch of a standard log, and one per run of an output log.

    Raises
    ------
    InputError
        A line is cut off or damaged, or there is neither an epoch nor a consumption.
    """
    version = _VERSION.search(text)
    listed = _FOUND.search(text)
    parts = map(_DEVICES.match, re.split(r"\.(?=\s|$)", listed[1])) if listed else ()
    devices = {part[1].lower(): part[2] for part in parts if part}
    lines = text.split("\n")
    found = False
    for window in chain(_epochs(lines, path, devices, version[1] if version else None), _totals(lines, path, devices)):
        found = True
        yield window
    if not found:
        raise InputError(f"{path}: a carbontracker log without a finished epoch. Use the log of a run that finished.")


def _epochs(lines: list[str], path: Path, devices: Devices, version: str | None) -> Iterator[Window]:
    epoch, length, end = None, 0.0, 0.0
    values: list[Value] = []

    def window() -> Window:
        return Window(
            MeterName("carbontracker"),
            tuple(values),
            start_s=end - length,
            duration_s=length,
            tool_version=version,
            epoch=epoch,
            cpu_model=None if _RAPL.fullmatch(devices.get("cpu", "cpu:0")) else devices["cpu"],
            gpu_model=devices.get("gpu"),
            run=f"{path}: epochs",
        )

    for row, line in _whole(lines, path):
        if match := _EPOCH.match(line):
            if values:
                yield window()
            epoch, values = int(match[2]), []
        elif match := _DURATION.match(line):
            if values:
                raise InputError(f"{path}, row {row}: an epoch has two durations. Keep one of them, and its powers.")
            end, length = local_seconds(match[1], path, row), _seconds(match[2], path, row)
            values = [duration(length, "carbontracker's duration, to 10 ms")]
        elif match := _POWER.match(line):
            if not values:
                raise InputError(f"{path}, row {row}: has a power, but its epoch has no duration. Remove the row.")
            name = match[2].lower()
            if any(value.component == name for value in values):
                raise InputError(
                    f"{path}, row {row}: the power of {name} occurs twice in an epoch. Remove one of them."
                )
            values.append(_component(name, match[3], length, devices, (path, row)))
    if values:
        yield window()


def _whole(lines: list[str], path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number and text of each line, with the lines of an array together."""
    rows = enumerate(lines, start=1)
    for row, line in rows:
        parts = [line]
        if "[" in line and _POWER.match(line):
            while "]" not in parts[-1]:
                parts.append(next(rows, (0, ""))[1])
                if not parts[-1] or _DATED.match(parts[-1]):
                    raise InputError(f"{path}, row {row}: the powers are cut off. Remove the row, or use the full log.")
        yield row, "\n".join(parts)


def _component(name: str, text: str, length: float, devices: Devices, where: tuple[Path, int]) -> Value:
    """Energy of a component (cpu or gpu): the sum of its devices' mean powers times the epoch's duration."""
    words = text.strip().strip("[]").split()
    known = bool(words) and not {"None", "nan"} & set(words)
    powers = [number(word, *where, f"the power of {name}") for word in words] if known else []
    missing = "the epoch was too short for a sample of the power"
    power = sum(powers) if powers else None
    if powers and min(powers) <= 0:
        missing, power = f"a device has {min(powers):g} W: it was not read", None
    elif twice := [word for word, times in Counter(words).items() if times > 1 and len(word) > _DIGITS]:
        missing, power = f"devices have exactly the same power ({twice[0]} W): they show one counter", None
    evidence, detail = _judge(name, devices)
    return energy(name, None if power is None else power * length, evidence, detail, missing=missing)


def _judge(name: str, devices: Devices) -> tuple[Evidence, str]:
    device = devices.get(name)
    if device is None:
        return Evidence.UNKNOWN, f"mean power times duration; the log does not name the {name}"
    if device in _APPLE:
        return Evidence.UNKNOWN, f"{device}: powermetrics, which estimates by an undocumented method"
    if name == "cpu" and not _RAPL.fullmatch(device):
        return Evidence.MODELLED, f"{device}, by its name a CPU: half of its TDP, or of the average TDP, times duration"
    how = "RAPL" if name == "cpu" else "the driver (NVML for NVIDIA)"
    return Evidence.MEASURED, f"{device}: mean of power sampled from {how}, times duration"


def _totals(lines: list[str], path: Path, devices: Devices) -> Iterator[Window]:
    for row, line in enumerate(lines, start=1):
        if not (match := _TOTAL.search(line)):
            continue
        # The consumption begins on the second line of its record.
        dated = _DATED.match(lines[max(0, row - 2)])
        found = [field for field in map(_FIELD.match, lines[row : row + 3]) if field]
        fields = {field[1]: field[2] for field in found}
        if {field[1]: field[3] for field in found} != _FIELDS:
            what = "the consumption is cut off, or not in kWh and g"
            raise InputError(f"{path}, row {row}: {what}. Remove the row, or export the file again.")
        evidence = _total_evidence(devices)
        detail = f"all components, {match[1] or 'all'} epochs, multiplied by carbontracker's PUE"
        joules = number(fields["Energy"], path, row, "Energy") * JOULES_PER_KWH
        grams = None if fields["CO2eq"] == "nan" else number(fields["CO2eq"], path, row, "CO2eq") / 1000
        length = _seconds(fields["Time"], path, row)
        yield Window(
            MeterName("carbontracker"),
            (
                duration(length, "carbontracker's time, to 1 s"),
                energy("machine", joules, evidence, detail),
                co2e(grams, "energy times carbontracker's intensity, including PUE"),
            ),
            start_s=local_seconds(dated[1], path, row) - length if dated else None,
            duration_s=length,
            gpu_model=devices.get("gpu"),
            run=f"{path}: totals",
        )


def _total_evidence(devices: Devices) -> Evidence:
    kinds = {_judge(name, devices)[0] for name in devices}
    if Evidence.MODELLED in kinds:
        return Evidence.MODELLED
    return Evidence.MEASURED if kinds == {Evidence.MEASURED} else Evidence.UNKNOWN


def _seconds(text: str, path: Path, row: int) -> float:
    match = _CLOCK.fullmatch(text.strip())
    if not match:
        raise InputError(f"{path}, row {row}: {text.strip()[:40]!r} is not a time h:mm:ss. Remove the row.")
    return float(match[1]) * 3600 + float(match[2]) * 60 + float(match[3])


TOOL = Tool("carbontracker", "logs of carbontracker", log=Reader(_log_looks_like, _read_log))
