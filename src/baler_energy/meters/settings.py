"""Settings of a measured session."""

from dataclasses import dataclass
from pathlib import Path

from baler_energy.errors import InputError

__all__ = ["SHORTEST_CALIBRATION_S", "SessionSettings"]

#: Shortest idle part of a calibration. Each of its ten slices still contains some counter ticks, but the results are
#: only meaningful from one second.
SHORTEST_CALIBRATION_S = 0.05


@dataclass(frozen=True)
class SessionSettings:
    """How to measure.

    Raises
    ------
    InputError
        A value is out of range.
    """

    min_window_s: float = 5.0
    """The operation repeats until the window is at least this long; 0: it runs once."""
    idle_s: float = 10.0
    """Length of the idle baseline; 0: none is taken."""
    idle_lifetime_s: float = 0.0
    """Maximum age of a reused baseline (same boot, same meters); 0: always take a new one."""
    idle_cache: Path | None = None
    """Folder of the shared baselines; None: baselines are not shared."""
    sample_interval_s: float = 0.2
    """Interval of the time series."""
    lock: Path | None = None
    """Lock file that allows one measurement at a time; None: the machine-wide one."""

    def __post_init__(self) -> None:
        for name, low in (
            ("min_window_s", 0.0),
            ("idle_s", 0.0),
            ("idle_lifetime_s", 0.0),
            ("sample_interval_s", 0.01),
        ):
            value = getattr(self, name)
            if not low <= value < float("inf"):
                raise InputError(f"{name} is {value}; it must be at least {low:g} s.")
