"""SLURM's own account of a job step's energy (``ConsumedEnergyRaw``), read by ``sstat`` at both edges of the window."""

import math
import re
import time
from collections.abc import Sequence
from functools import cached_property

from baler_energy.errors import UnavailableError
from baler_energy.meters.base import Channel, Meter
from baler_energy.records import Reading
from baler_energy.slurm import ask, step
from baler_energy.vocabulary import Evidence, MeterName, Quantity

__all__ = ["SlurmMeter"]

#: SLURM's default of JobAcctGatherFrequency (s).
_DEFAULT_INTERVAL_S = 30.0
_REMEDY = "set AcctGatherEnergyType (rapl, ipmi, xcc, pm_counters, gpu) and JobAcctGatherType in slurm.conf"


class SlurmMeter(Meter):
    """Energy of the whole node, as SLURM charges it to the step that this process runs in.

    The counter is the node's, in whole joules, and is refreshed at intervals: `bound` is the mean power times one
    interval and the time that the two questions took. A counter that did not move is no reading of 0 J.
    """

    name = MeterName.SLURM

    def __init__(self) -> None:
        self._edges: list[tuple[float, float, float]] = []

    def channels(self) -> Sequence[Channel]:
        """Say what the cluster's configuration promises; the step itself is not asked yet."""
        return (self._channel,)

    def begin(self) -> None:
        """Read the counter before the window."""
        self._edges = [self._read()]

    def end(self) -> None:
        """Read the counter after the window."""
        self._edges.append(self._read())

    def readings(self) -> list[Reading]:
        """Give the energy between both questions."""
        (first_s, _, first_j), (last_s, _, last_j) = self._edges
        energy_j, duration_s = last_j - first_j, last_s - first_s
        if energy_j <= 0:
            reason = f"SLURM's counter did not move in a window of {duration_s:.1f} s"
            return [Reading.of(self.name, "node", Quantity.ENERGY, None, reason=reason)]
        slack_s = self._interval_s + sum(answer - question for question, answer, _ in self._edges)
        bound_j = energy_j / duration_s * slack_s
        detail = self._channel.detail
        return [Reading.of(self.name, "node", Quantity.ENERGY, energy_j, bound=bound_j, detail=detail)]

    @cached_property
    def _configuration(self) -> dict[str, str]:
        shown, reason = ask("scontrol", "show", "config")
        if shown is None:
            raise UnavailableError(str(reason))
        return dict(re.findall(r"^(\w+)\s*= (.*?)\s*$", shown, flags=re.MULTILINE))

    @cached_property
    def _channel(self) -> Channel:
        if step() is None:
            return Channel("node", None, "this is no job of SLURM's")
        try:
            kind = self._configuration.get("AcctGatherEnergyType", "")
        except UnavailableError as error:
            return Channel("node", None, str(error))
        kind = kind.removeprefix("acct_gather_energy/")
        if kind in ("", "none", "(null)"):
            return Channel("node", None, "the cluster does not gather energy (AcctGatherEnergyType is none)", _REMEDY)
        how = f"SLURM's ConsumedEnergyRaw of the step, from {kind}, refreshed every {self._interval_s:g} s at least"
        return Channel("node", Evidence.MEASURED, how)

    @cached_property
    def _interval_s(self) -> float:
        node = float(self._configuration.get("AcctGatherNodeFreq", "0 sec").split()[0])
        job = self._configuration.get("JobAcctGatherFrequency", "")
        # "30", or "task=30,energy=10"
        found = re.search(r"energy=(\d+)", job) or re.search(r"(\d+)", job)
        return max(node, float(found[1]) if found else _DEFAULT_INTERVAL_S)

    def _read(self) -> tuple[float, float, float]:
        """Ask for the counter: time of the question and of the answer (s), energy of the step so far (J)."""
        name, question_s = str(step()), time.monotonic()
        said, reason = ask("sstat", "--noheader", "--parsable2", "--format", "ConsumedEnergyRaw", "--jobs", name)
        value = (said or "").strip()
        energy_j = float(value) if value.isdecimal() else math.nan
        # SLURM writes 2^64 - 2 for what it does not know.
        if not 0 <= energy_j < 2**63:
            raise UnavailableError(reason or f"sstat gives no energy of step {name} ({value!r})")
        return question_s, time.monotonic(), energy_j
