"""Settings of a measured session."""

from dataclasses import dataclass
from pathlib import Path

from baler_energy.config.measuring import Measurement, default_of, limits_of
from baler_energy.errors import InputError

__all__ = ["SessionSettings"]


@dataclass(frozen=True)
class SessionSettings:
    """How to measure; the defaults are those of a study (`config.measuring.Measurement`).

    Raises
    ------
    InputError
        A value is out of range.
    """

    min_window_s: float = default_of(Measurement, "min_window_s")
    """The operation repeats until the window is at least this long; 0: it runs once."""
    idle_s: float = default_of(Measurement, "idle_s")
    """Length of the idle baseline; 0: none is taken."""
    idle_lifetime_s: float = default_of(Measurement, "idle_lifetime_s")
    """Maximum age of a reused baseline (same boot, same meters); 0: always take a new one."""
    idle_cache: Path | None = None
    """Folder of the shared baselines; None: baselines are not shared."""
    sample_interval_s: float = default_of(Measurement, "sample_interval_s")
    """Interval of the time series."""
    contamination_limit: float = default_of(Measurement, "contamination_limit")
    """Share of the machine's CPU time; if other processes use more, the window is flagged as contaminated."""
    lock: Path | None = None
    """Lock file that allows one measurement at a time; None: the machine-wide one."""

    def __post_init__(self) -> None:
        for name in ("min_window_s", "idle_s", "idle_lifetime_s", "sample_interval_s"):
            low, high = limits_of(Measurement, name)
            value = getattr(self, name)
            if not low <= value <= high:
                raise InputError(f"{name} is {value}; it must be at least {low:g} s and at most {high:g} s.")
        low, high = limits_of(Measurement, "contamination_limit")
        if not low < self.contamination_limit <= high:
            raise InputError(
                f"contamination_limit is {self.contamination_limit}; it must be above {low:g} and at most {high:g}."
            )
