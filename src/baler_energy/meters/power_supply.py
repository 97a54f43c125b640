"""Batteries and AC adapters, through Linux's sysfs: power of the whole machine."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from baler_energy.meters.base import Channel
from baler_energy.meters.power_sensor import PowerSensorMeter, absent
from baler_energy.meters.settings import SessionSettings
from baler_energy.system_files import system_text
from baler_energy.vocabulary import Evidence, MeterName

__all__ = ["METER", "POWER_SUPPLY", "PowerSupplyMeter"]

POWER_SUPPLY = Path("/sys/class/power_supply")
_MICRO = 1e-6
_ADAPTERS = ("Mains", "USB", "USB_C", "USB_PD")


class PowerSupplyMeter(PowerSensorMeter):
    """Power of ``node``: the discharge power of its batteries, and the power that its adapters report.

    On mains power a battery only reports its charging power, which is unrelated to the machine's consumption, so the
    energy is null. So it is while an adapter charges a battery, which takes a part of the adapter's power. Batteries
    update their values once a second or less often.

    Parameters
    ----------
    sample_interval_s
        Time between reads (s); at least 1 s is used.
    root
        The kernel's power_supply folder.
    """

    name = MeterName("power_supply")
    edge = 70
    rare = True
    sampled = True

    def __init__(
        self, *, sample_interval_s: float = SessionSettings.sample_interval_s, root: Path = POWER_SUPPLY
    ) -> None:
        super().__init__(max(1.0, sample_interval_s))
        self._root = root

    def channels(self) -> Sequence[Channel]:
        """Report whether a discharging battery or an adapter reports its power."""
        supplies = _supplies(self._root)
        if not supplies:
            return absent("node", "the kernel shows neither a battery nor an AC adapter")
        try:
            _node_w(self._root)
        except (OSError, ValueError) as error:
            return absent("node", str(error), "unplug the adapter to measure on battery")
        return (Channel("node", Evidence.MEASURED, f"power of {', '.join(s.name for s in supplies)} over time"),)

    def sources(self) -> Mapping[str, Callable[[], float]]:
        """Return a reader of the machine's power."""
        return {"node": partial(_node_w, self._root)}


def _supplies(root: Path) -> list[Path]:
    """Return the machine's batteries (not those of a mouse or phone) and the adapters that are plugged in."""
    batteries = [path for path in sorted(root.glob("*")) if _is(path, "type", "Battery")]
    batteries = [path for path in batteries if not _is(path, "scope", "Device")]
    adapters = [path for path in sorted(root.glob("*")) if any(_is(path, "type", kind) for kind in _ADAPTERS)]
    return batteries + [path for path in adapters if _is(path, "online", "1")]


def _node_w(root: Path) -> float:
    """Read the power that the machine draws (W), from its adapters and from the batteries that give power.

    Raises
    ------
    ValueError
        No supply reports it: the battery is charging or full, and no adapter reports a power. Or an adapter also
        charges a battery, so that its power is not the machine's.
    """
    supplies = _supplies(root)
    states = {path: system_text(path / "status") for path in supplies if _is(path, "type", "Battery")}
    adapters = [path for path in supplies if path not in states]
    giving = [path for path, state in states.items() if state == "Discharging"]
    adapted = _known_w(adapters)
    if adapters and not adapted:
        raise ValueError("the machine runs on an adapter that does not report its power")
    if adapters and "Charging" in states.values():
        raise ValueError("the adapter also charges the battery, so that its power is not the machine's")
    if not (adapters or giving):
        raise ValueError(f"the battery is {', '.join(state or 'of unknown state' for state in states.values())}")
    given = _known_w(giving)
    if given is None:
        raise ValueError("a battery reports neither its power nor its current and voltage")
    return (adapted or 0.0) + given


def _known_w(supplies: Sequence[Path]) -> float | None:
    """Sum the powers (W) of supplies; None if one does not report its power."""
    powers = [power for path in supplies if (power := _power_w(path)) is not None]
    return sum(powers) if len(powers) == len(supplies) else None


def _power_w(path: Path) -> float | None:
    """Read the power (W): ``power_now`` (uW), or ``current_now`` (uA) x ``voltage_now`` (uV); signs vary by driver."""
    power = _number(path / "power_now")
    if power is not None:
        return abs(power) * _MICRO
    current, voltage = _number(path / "current_now"), _number(path / "voltage_now")
    return None if current is None or voltage is None else abs(current) * _MICRO * voltage * _MICRO


def _is(path: Path, file: str, value: str) -> bool:
    return system_text(path / file) == value


def _number(path: Path) -> int | None:
    text = system_text(path)
    return int(text) if text.lstrip("-").isdecimal() else None


METER = PowerSupplyMeter
