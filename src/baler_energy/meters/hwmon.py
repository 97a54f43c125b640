"""hwmon: power sensors of the mainboard, through Linux's sysfs."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from baler_energy.meters.base import Channel
from baler_energy.meters.power_sensor import PowerSensorMeter, absent
from baler_energy.meters.settings import SessionSettings
from baler_energy.vocabulary import Evidence, MeterName

__all__ = ["HWMON", "METER", "HwmonMeter"]

HWMON = Path("/sys/class/hwmon")
_MICRO = 1e-6


class HwmonMeter(PowerSensorMeter):
    """Power sensors (``power*_average``, ``power*_input``), integrated over time.

    The chip determines what a sensor measures, according to the kernel's documentation of its driver: ``power_meter``
    (ACPI) and Apple's ``macsmc_hwmon`` (total system power) measure the node, ``amdgpu`` a GPU, ``fam15h_power`` a
    package. Any other sensor measures a rail of the board, which is part of the node and not added to any sum.

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
        channels = [_channel(component, file) for component, file in sensors.items()]
        readable = {channel.component for channel in channels if channel.evidence}
        for total, parts in _sums(sensors).items():
            whole = set(parts) <= readable
            detail = f"sum of {' + '.join(parts)}" if whole else f"a part of {' + '.join(parts)} cannot be read"
            channels.append(Channel(total, Evidence.MEASURED if whole else None, detail))
        return channels

    def sources(self) -> Mapping[str, Callable[[], float]]:
        """Return a reader for each readable sensor."""
        return {
            component: partial(_read_w, file)
            for component, file in _find(self._root).items()
            if _channel(component, file).evidence
        }

    def sums(self) -> dict[str, tuple[str, ...]]:
        """Return the sums over GPUs and packages whose parts are all readable."""
        readable = set(self.sources())
        return {total: parts for total, parts in _sums(_find(self._root)).items() if set(parts) <= readable}


def _find(root: Path) -> dict[str, Path]:
    """Find the sensors, by component; the average is preferred to the instantaneous value, as it misses nothing."""
    found: dict[str, Path] = {}
    for chip in sorted(root.glob("hwmon*"), key=lambda path: [int(n) for n in re.findall(r"\d+", path.name)]):
        name = _text(chip / "name") or chip.name
        numbers = sorted({int(n[1]) for path in chip.glob("power*") if (n := re.match(r"power(\d+)_", path.name))})
        for number in numbers:
            files = [chip / f"power{number}_{kind}" for kind in ("average", "input")]
            file = next((file for file in files if file.exists()), None)
            if file is not None:
                component = _component(name, _text(chip / f"power{number}_label") or f"power{number}", found)
                found.setdefault(component, file)
    return found


def _component(chip: str, label: str, found: Mapping[str, Path]) -> str:
    if chip == "power_meter" or (chip == "macsmc_hwmon" and label == "Total System Power"):
        return "node"
    if chip == "amdgpu":
        return f"gpu-{sum(name.startswith('gpu-') for name in found)}"
    if chip == "fam15h_power":
        return f"package-{sum(name.startswith('package-') for name in found)}"
    rail = "rail-" + re.sub(r"[^a-z0-9_.]+", "-", f"{chip}-{label}".lower())
    same = sum(name == rail or name.startswith(f"{rail}.") for name in found)
    return f"{rail}.{same}" if same else rail


def _sums(sensors: Mapping[str, Path]) -> dict[str, tuple[str, ...]]:
    kinds = {"cpu": "package-", "gpu": "gpu-"}
    parts = {total: tuple(name for name in sensors if name.startswith(start)) for total, start in kinds.items()}
    return {total: names for total, names in parts.items() if names}


def _channel(component: str, file: Path) -> Channel:
    try:
        _read_w(file)
    except (OSError, ValueError) as error:
        return Channel(component, None, f"{file} cannot be read: {error}")
    return Channel(component, Evidence.MEASURED, f"power sensor {file.parent.name}/{file.name} over time")


def _read_w(file: Path) -> float:
    return int(file.read_text(encoding="ascii")) * _MICRO


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return ""


METER = HwmonMeter
