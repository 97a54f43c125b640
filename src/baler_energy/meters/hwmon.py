"""hwmon: power sensors of the mainboard, through Linux's sysfs."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

from baler_energy.meters.base import Channel
from baler_energy.meters.power_sensor import PowerSensorMeter, absent, believed_w
from baler_energy.meters.settings import SessionSettings
from baler_energy.system_files import system_text
from baler_energy.vocabulary import Evidence, MeterName

__all__ = ["HWMON", "METER", "HwmonMeter"]

HWMON = Path("/sys/class/hwmon")
_MICRO = 1e-6
#: For a moment a device may draw this many times its power limit.
_MARGIN = 2.0
#: Longest time (ms) over which a sensor may average: ACPI's are often set to several minutes.
_LONGEST_AVERAGE_MS = 1000


class HwmonMeter(PowerSensorMeter):
    """Power sensors (``power*_average``, ``power*_input``), integrated over time.

    The chip determines what a sensor measures, according to the kernel's documentation of its driver: ``power_meter``
    (ACPI) and Apple's ``macsmc_hwmon`` (total system power) measure the node, ``amdgpu`` a GPU, ``fam15h_power`` a
    package. On an APU, ``amdgpu`` measures the whole chip with its CPU, which is neither a GPU nor a further package.
    It is a rail, as any other sensor: part of the node and not added to any sum. An average over more than
    `_LONGEST_AVERAGE_MS` is not read, since it would belong to what ran before the window.

    Parameters
    ----------
    sample_interval_s
        Time between reads (s).
    root
        The kernel's hwmon folder.
    """

    name = MeterName("hwmon")
    edge = 80
    rare = True
    sampled = True

    def __init__(self, *, sample_interval_s: float = SessionSettings.sample_interval_s, root: Path = HWMON) -> None:
        super().__init__(sample_interval_s)
        self._root = root

    def channels(self) -> Sequence[Channel]:
        """Report which sensors exist and can be read."""
        sensors = _find(self._root)
        if not sensors:
            return absent("node", "the board has no power sensor under /sys/class/hwmon")
        channels = [_channel(component, files) for component, files in sensors.items()]
        readable = {channel.component for channel in channels if channel.evidence}
        for total, parts in _sums(sensors).items():
            whole = set(parts) <= readable
            detail = f"sum of {' + '.join(parts)}" if whole else f"a part of {' + '.join(parts)} cannot be read"
            channels.append(Channel(total, Evidence.MEASURED if whole else None, detail))
        return channels

    def sources(self) -> Mapping[str, Callable[[], float]]:
        """Return a reader for each readable sensor."""
        return {
            component: partial(_read_w, files[0], _limit_w(files[0]))
            for component, files in _find(self._root).items()
            if _channel(component, files).evidence
        }

    def sums(self) -> dict[str, tuple[str, ...]]:
        """Return the sums over GPUs and packages whose parts are all readable."""
        readable = set(self.sources())
        return {total: parts for total, parts in _sums(_find(self._root)).items() if set(parts) <= readable}


def _find(root: Path) -> dict[str, list[Path]]:
    """Find the sensors, by component; the average is preferred to the instantaneous value, as it misses nothing.

    Several sensors of one component, such as two of the node, cannot be distinguished.
    """
    found: dict[str, list[Path]] = {}
    for chip in sorted(root.glob("hwmon*"), key=lambda path: [int(n) for n in re.findall(r"\d+", path.name)]):
        numbers = sorted({int(n[1]) for path in chip.glob("power*") if (n := re.match(r"power(\d+)_", path.name))})
        for number in numbers:
            files = [chip / f"power{number}_{kind}" for kind in ("average", "input")]
            files = [file for file in files if file.exists()]
            file = next((file for file in files if not _slow(file)), files[0] if files else None)
            if file is not None:
                component = _component(chip, system_text(chip / f"power{number}_label") or f"power{number}", found)
                found.setdefault(component, []).append(file)
    return found


def _component(chip: Path, label: str, found: Mapping[str, Sequence[Path]]) -> str:
    name = system_text(chip / "name") or chip.name
    if name == "power_meter" or (name == "macsmc_hwmon" and label == "Total System Power"):
        return "node"
    # Only APUs have a voltage of the northbridge, in1 (Documentation/gpu/amdgpu/thermal.rst).
    # A second sensor of a chip measures the same GPU.
    is_first = not any(file.parent == chip for files in found.values() for file in files)
    if name == "amdgpu" and is_first and not any(chip.glob("in1_*")):
        return f"gpu-{sum(component.startswith('gpu-') for component in found)}"
    if name == "fam15h_power":
        return f"package-{sum(component.startswith('package-') for component in found)}"
    rail = "rail-" + re.sub(r"[^a-z0-9_.]+", "-", f"{name}-{label}".lower())
    same = sum(component == rail or component.startswith(f"{rail}.") for component in found)
    return f"{rail}.{same}" if same else rail


def _sums(sensors: Collection[str]) -> dict[str, tuple[str, ...]]:
    kinds = {"cpu": "package-", "gpu": "gpu-"}
    parts = {total: tuple(name for name in sensors if name.startswith(start)) for total, start in kinds.items()}
    return {total: names for total, names in parts.items() if names}


def _channel(component: str, files: Sequence[Path]) -> Channel:
    file = files[0]
    if len(files) > 1:
        names = ", ".join(f"{file.parent.name}/{file.name}" for file in files)
        return Channel(component, None, f"several sensors ({names}) may each measure only a part of it")
    if _slow(file):
        return Channel(
            component, None, f"{file} is a mean over {system_text(_interval(file))} ms: set {_interval(file)} to 1000"
        )
    try:
        believed_w(component, _read_w(file, None))
    except (OSError, ValueError) as error:
        return Channel(component, None, f"{file} cannot be read: {error}")
    return Channel(component, Evidence.MEASURED, f"power sensor {file.parent.name}/{file.name} over time")


def _interval(file: Path) -> Path:
    return file.with_name(f"{file.name}_interval")


def _slow(file: Path) -> bool:
    """Whether a sensor's value is a mean over a time that is longer than allowed (``power1_average_interval``)."""
    interval_ms = system_text(_interval(file))
    return interval_ms.isdecimal() and int(interval_ms) > _LONGEST_AVERAGE_MS


def _read_w(file: Path, limit_w: float | None) -> float:
    power_w = int(file.read_text(encoding="ascii")) * _MICRO
    if limit_w is not None and power_w > limit_w:
        raise ValueError(f"{power_w:g} W is more than twice its power limit of {limit_w / _MARGIN:g} W")
    return power_w


def _limit_w(file: Path) -> float | None:
    """Return the power (W) that a device cannot exceed: a multiple of its largest power cap; None if it has none."""
    cap = system_text(file.with_name(file.name.partition("_")[0] + "_cap_max"))
    return _MARGIN * int(cap) * _MICRO if cap.isdecimal() and int(cap) else None


METER = HwmonMeter
