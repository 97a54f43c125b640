"""Power over time, with its exact integral."""

import math
from dataclasses import dataclass

__all__ = ["Curve"]


@dataclass(frozen=True)
class Curve:
    """Power (W) against time (s) since the curves' start (see `machine.start_curves`), constant before it.

    kind
        ``constant`` (low); ``step`` (low, then high from `at`); ``ramp`` (from low to high over `length_s`, starting
        at `at`); ``square`` (high and low, each for half of `length_s`); ``load`` (between low and high, see `load_w`;
        only of RAPL counters, and its energy is only in the journal).
    """

    kind: str
    low_w: float
    high_w: float = 0.0
    at_s: float = 0.0
    length_s: float = 1.0

    @property
    def top_w(self) -> float:
        """Maximum power."""
        return self.low_w if self.kind == "constant" else max(self.low_w, self.high_w)

    def energy_j(self, begin_s: float, end_s: float) -> float:
        """Exact energy (J) between two times since the curves' start; not of a ``load``."""
        if self.kind == "load":
            raise ValueError("its power depends on the load")
        return self._since_start_j(end_s) - self._since_start_j(begin_s)

    def power_w(self, time_s: float) -> float:
        """Power (W) at a time since the curves' start."""
        if self.kind == "step":
            return self.high_w if time_s >= self.at_s else self.low_w
        if self.kind == "ramp":
            return self.low_w + (self.high_w - self.low_w) * min(max((time_s - self.at_s) / self.length_s, 0), 1)
        if self.kind == "square" and time_s >= 0:
            return self.high_w if time_s % self.length_s < self.length_s / 2 else self.low_w
        return self.low_w

    def load_w(self, load: float) -> float:
        """Power (W) of the kind ``load`` at a load, 0 to 1: the first core costs more than the last, as in servers."""
        return self.low_w + (self.high_w - self.low_w) * (2 * load - load**1.4)

    def _since_start_j(self, time_s: float) -> float:
        rise_w, past_s = self.high_w - self.low_w, max(0.0, time_s - self.at_s)
        if self.kind == "step":
            return self.low_w * time_s + rise_w * past_s
        if self.kind == "ramp":
            inside_s = min(past_s, self.length_s)
            return self.low_w * time_s + rise_w * (inside_s**2 / (2 * self.length_s) + past_s - inside_s)
        if self.kind == "square" and time_s > 0:
            whole = math.floor(time_s / self.length_s)
            inside_s = min(time_s - whole * self.length_s, self.length_s / 2)
            return self.low_w * time_s + rise_w * (whole * self.length_s / 2 + inside_s)
        return self.low_w * time_s

    def words(self) -> str:
        """Serialise it for the C library: kind and four numbers."""
        return f"{self.kind} {self.low_w!r} {self.high_w!r} {self.at_s!r} {self.length_s!r}"
