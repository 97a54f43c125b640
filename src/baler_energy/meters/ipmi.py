"""IPMI: power of the whole node, from its baseboard management controller (BMC)."""

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from baler_energy.meters.base import Channel
from baler_energy.meters.power_sensor import PowerSensorMeter, absent
from baler_energy.vocabulary import Evidence, MeterName

__all__ = ["METER", "IpmiMeter", "parse_dcmi_w"]

#: BMCs update their reading about once a second, and answer within tenths of a second.
_INTERVAL_S = 1.0
_TIME_LIMIT_S = 5.0
_COMMAND = ("ipmitool", "dcmi", "power", "reading")
_DEVICES = (Path("/dev/ipmi0"), Path("/dev/ipmi/0"), Path("/dev/ipmidev/0"))


class IpmiMeter(PowerSensorMeter):
    """Power of the node over DCMI (Data Center Manageability Interface), through ipmitool."""

    name = MeterName("ipmi")
    edge = 50
    rare = True

    def __init__(self, *, read: Callable[[], str] | None = None) -> None:
        super().__init__(_INTERVAL_S)
        self._read = read

    def channels(self) -> Sequence[Channel]:
        """Report whether a BMC and ipmitool are present; does not query the BMC."""
        if self._read is None:
            if not any(device.exists() for device in _DEVICES):
                return absent("node", "this machine has no BMC (/dev/ipmi0)", "sudo modprobe ipmi_devintf ipmi_si")
            if shutil.which(_COMMAND[0]) is None:
                return absent("node", "ipmitool, which queries the BMC, is not installed", "sudo apt install ipmitool")
        return (Channel("node", Evidence.MEASURED, "BMC power over DCMI, every second"),)

    def sources(self) -> Mapping[str, Callable[[], float]]:
        """Return a reader of the BMC's power."""
        read = self._read or _ask
        return {"node": lambda: parse_dcmi_w(read())}


def _ask() -> str:
    try:
        done = subprocess.run(_COMMAND, capture_output=True, text=True, timeout=_TIME_LIMIT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"the BMC did not answer within {_TIME_LIMIT_S:g} s") from error
    if done.returncode != 0:
        raise ValueError(f"ipmitool: {(done.stderr or done.stdout).strip() or f'exit code {done.returncode}'}")
    return done.stdout


def parse_dcmi_w(text: str) -> float:
    """Parse the current power (W) from the output of ``ipmitool dcmi power reading`` or FreeIPMI's ``ipmi-dcmi``.

    Raises
    ------
    ValueError
        The output has no power above 0 W, or the BMC reports that its measurement is off.
    """
    if re.search(r"state\s*(is)?\s*:?\s*(deactivated|not active)", text, flags=re.IGNORECASE):
        raise ValueError("the BMC's power measurement is switched off")
    for pattern in (r"Instantaneous power reading\s*:\s*(\d+)\s*Watts", r"Current Power\s*:\s*(\d+)\s*Watts"):
        match = re.search(pattern, text, flags=re.IGNORECASE)
        if match and int(match[1]) > 0:
            return float(match[1])
    raise ValueError("the BMC's answer contains no power reading above 0 W")


METER = IpmiMeter
