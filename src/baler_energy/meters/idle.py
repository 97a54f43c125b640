"""The idle baseline: mean power while only the waiting process runs. Runs of one boot can share it."""

import hashlib
import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pydantic import ValidationError

from baler_energy.errors import InputError
from baler_energy.files import read_json, write_json
from baler_energy.fingerprint import fingerprint
from baler_energy.meters.base import Meter, channels_of
from baler_energy.provenance import boot_id, simulated
from baler_energy.records import Idle, Reading
from baler_energy.sources import meter_modules
from baler_energy.vocabulary import Quantity

__all__ = ["IdleCache", "baseline_key", "idle_readings"]


def idle_readings(readings: Sequence[Reading], duration_s: float) -> tuple[Reading, ...]:
    """Convert the energies of an idle window to idle powers (W); null if the energy is null."""
    return tuple(
        Reading.of(
            reading.meter,
            reading.component,
            Quantity.IDLE_POWER,
            None if reading.value is None else reading.value / duration_s,
            reading.evidence,
            reading.reason,
        )
        for reading in readings
        if reading.quantity is Quantity.ENERGY
    )


def baseline_key(meters: Sequence[Meter], *, accelerator: bool) -> dict[str, object]:
    """Return the conditions under which another job may reuse a baseline: all of them must be equal.

    Parameters
    ----------
    meters
        The meters in use; their channels and the code that reads them are part of the key.
    accelerator
        Whether the process holds an accelerator's context, which raises a GPU's idle power.
    """
    return {
        "host": platform.node(),
        "boot": boot_id(),
        "simulated": simulated(),
        "accelerator": accelerator,
        "visible_gpus": os.environ.get("CUDA_VISIBLE_DEVICES"),
        "source": fingerprint(f"{__package__}.session", *meter_modules(meter.name for meter in meters)),
        "channels": sorted(
            f"{meter.name}/{channel.component}/{channel.evidence}/{channel.detail}"
            for meter in meters
            for channel in channels_of(meter)
            if channel.energy
        ),
    }


class IdleCache:
    """A folder of this boot's baselines, one file per key.

    Parameters
    ----------
    folder
        Folder of the files.
    key
        The key from `baseline_key`.
    """

    def __init__(self, folder: Path, key: dict[str, object]) -> None:
        digest = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        self.path = folder / f"idle-{digest[:16]}.json"
        self._key = key

    def load(self, lifetime_s: float, min_duration_s: float) -> Idle | None:
        """Return the stored baseline if it is recent, long enough and possible; a damaged file counts as missing."""
        try:
            stored = read_json(self.path)
            if stored["key"] != self._key:
                return None
            idle = Idle.model_validate({**stored["idle"], "shared": True})
            age = datetime.now(UTC) - idle.start - timedelta(seconds=idle.duration_s)
        except (InputError, ValidationError, KeyError, TypeError, OverflowError):
            return None
        if any(list(reading.impossible()) for reading in idle.readings):
            return None
        young = timedelta(seconds=-1) <= age <= timedelta(seconds=lifetime_s)
        # Rounding of the clock may turn a baseline of 10 s into one of 9.9999 s.
        return idle if young and idle.duration_s > 0.99 * min_duration_s else None

    def store(self, idle: Idle) -> None:
        """Write the baseline atomically."""
        write_json(self.path, {"key": self._key, "idle": idle.model_dump(mode="json")})
