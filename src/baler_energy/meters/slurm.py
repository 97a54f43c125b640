"""SLURM's record of a job step's energy (``ConsumedEnergyRaw``), read with ``sstat`` at both edges of the window."""

import os
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from baler_energy.errors import UnavailableError
from baler_energy.meters.base import Channel, Meter
from baler_energy.records import Reading
from baler_energy.slurm import ask, step
from baler_energy.vocabulary import Evidence, MeterName, Quantity

__all__ = ["METER", "SlurmMeter"]

_REMEDY = "set AcctGatherEnergyType (rapl, ipmi, xcc, pm_counters) and JobAcctGatherType in slurm.conf"
#: Maximum age (s) of a value that SLURM's daemon returns from its cache, without asking the node's controller again.
_CACHE_S = 10.0
#: Tick (s) of the counters that are not cached: they advance in whole joules, at least once a second.
_TICK_S = 1.0


@dataclass(frozen=True)
class _Source:
    component: str
    holds: str
    is_cached: bool


#: What each AcctGatherEnergyType measures, according to the plugins of SLURM 22.05 to 26.05.
_SOURCES = {
    "ipmi": _Source("node", "the whole node", is_cached=True),
    "xcc": _Source("node", "the whole node", is_cached=True),
    "pm_counters": _Source("node", "the whole node", is_cached=False),
    "rapl": _Source("rail-slurm-rapl", "packages and DRAM", is_cached=False),
    "gpu": _Source("rail-slurm-gpu", "the node's GPUs", is_cached=True),
}


@dataclass(frozen=True)
class _Edge:
    question_s: float
    answer_s: float
    energy_j: int | None
    reason: str | None


class SlurmMeter(Meter):
    """Energy of the node, as SLURM charges it to the job step of this process.

    The counter covers the whole node, including other users, in whole joules. Its values may be some seconds old:
    `bound` is the mean power times the sum of that age and the duration of the two queries. The energy is null if the
    window is not longer than that sum or the counter did not advance. This meter is not part of any total, so its
    failures are not flagged as faults of the run.
    """

    name = MeterName("slurm")
    edge = 20
    rare = True

    def __init__(self) -> None:
        self._edges: list[_Edge] = []

    def channels(self) -> Sequence[Channel]:
        """Report what the cluster's configuration promises; does not query the step."""
        return (self._channel,)

    def begin(self) -> None:
        """Read the counter before the window."""
        self._edges = [_read()]

    def end(self) -> None:
        """Read the counter after the window."""
        self._edges.append(_read())

    def readings(self) -> list[Reading]:
        """Return the energy between the two queries."""
        value_j, bound_j, reason = self._energy()
        channel = self._channel
        return [
            Reading.of(
                self.name,
                channel.component,
                Quantity.ENERGY,
                value_j,
                reason=reason,
                bound=bound_j,
                detail=channel.detail,
            )
        ]

    def _energy(self) -> tuple[float | None, float | None, str | None]:
        """Return energy and bound (J), or None for both and the reason."""
        first, last = self._edges
        if first.energy_j is None or last.energy_j is None:
            return None, None, first.reason or last.reason
        energy_j, duration_s = last.energy_j - first.energy_j, last.question_s - first.question_s
        if energy_j <= 0:
            return None, None, f"SLURM's counter did not move in a window of {duration_s:.1f} s"
        slack_s = self._age_s + sum(edge.answer_s - edge.question_s for edge in self._edges)
        if duration_s <= slack_s:
            reason = f"SLURM's readings may be {slack_s:.1f} s off the edges of a window of {duration_s:.1f} s"
            return None, None, f"{reason}: raise measurement.min_window_s"
        return float(energy_j), energy_j / duration_s * slack_s, None

    @cached_property
    def _configuration(self) -> dict[str, str]:
        shown, reason = ask("scontrol", "show", "config")
        if shown is None:
            raise UnavailableError(str(reason))
        return dict(re.findall(r"^(\w+)\s*= (.*?)\s*$", shown, flags=re.MULTILINE))

    @cached_property
    def _channel(self) -> Channel:
        if step() is None:
            return Channel("node", None, "not running in a SLURM job")
        try:
            kind = self._kind
        except UnavailableError as error:
            return Channel("node", None, str(error))
        if kind in ("", "none", "(null)"):
            return Channel("node", None, "the cluster does not record energy (AcctGatherEnergyType is none)", _REMEDY)
        if kind not in _SOURCES:
            # For several sources SLURM reports the sum, which may count parts twice.
            detail = f"it is unknown what SLURM's energy covers (AcctGatherEnergyType is {kind})"
            return Channel("node", None, detail, _REMEDY)
        source = _SOURCES[kind]
        how = f"SLURM's ConsumedEnergyRaw of the step, from {kind}: {source.holds}; up to {self._age_s:g} s old"
        return Channel(source.component, Evidence.MEASURED, how)

    @property
    def _kind(self) -> str:
        return self._configuration.get("AcctGatherEnergyType", "").replace("acct_gather_energy/", "")

    @cached_property
    def _age_s(self) -> float:
        """Maximum age (s) of a value, from its source and, if energy is profiled, from the profiling interval."""
        ages_s = [_TICK_S]
        if _SOURCES[self._kind].is_cached:
            intervals = ("AcctGatherNodeFreq", "EnergyIPMIFrequency")
            ages_s += [_CACHE_S, *(_leading_number(self._configuration.get(name, "")) for name in intervals)]
        if self._configuration.get("AcctGatherProfileType", "(null)") not in ("(null)", "acct_gather_profile/none"):
            frequency = os.environ.get("SLURM_ACCTG_FREQ") or self._configuration.get("JobAcctGatherFrequency", "")
            ages_s.append(_leading_number(frequency.partition("energy=")[2]))
        return max(ages_s)


def _read() -> _Edge:
    """Query the step's energy so far; the query itself makes SLURM sample it."""
    name, question_s = str(step()), time.monotonic()
    said, reason = ask("sstat", "--noheader", "--parsable2", "--format", "ConsumedEnergyRaw", "--jobs", name)
    value = (said or "").strip()
    # SLURM reports an unknown value as 2^64 - 2.
    energy_j = int(value) if value.isdecimal() and int(value) < 2**63 else None
    if energy_j is None:
        reason = reason or f"sstat reports no energy for step {name} ({value!r})"
    return _Edge(question_s, time.monotonic(), energy_j, reason)


def _leading_number(text: str) -> float:
    found = re.match(r"\d+", text)
    return float(found[0]) if found else 0.0


METER = SlurmMeter
