"""A year of work at a site: node time and energy of jobs, their sums, and what the nodes use while they are idle.

Amounts are arrays as of `law.drawn`: a forecast, followed by its draws, so that every result has an interval.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from baler_energy.analysis.carbon import YEAR_S
from baler_energy.analysis.hardware import Mean, OtherCodec
from baler_energy.analysis.law import FORECAST_DRAWS, Forecast, interval

__all__ = ["Load", "Use", "load_of_other", "quotient", "summed", "use"]

Floats = NDArray[np.floating[Any]]

_SEED = 27
#: Half width of a 95 % interval over its standard deviation.
_HALF_WIDTH = 1.959964


class Load(NamedTuple):
    """Node time (s) and energy (J; None: unknown) of some work."""

    seconds: Floats
    joules: Floats | None

    @property
    def power_w(self) -> Floats | None:
        """Mean power of a node while it works."""
        return None if self.joules is None else quotient(self.joules, self.seconds)

    def times(self, count: float) -> "Load":
        """Return the load of this work done several times, with the same deviations from the law."""
        return Load(count * self.seconds, None if self.joules is None else count * self.joules)


class Use(NamedTuple):
    """How the nodes of a site spend a year; None: unknown."""

    busy_share: Floats
    """Share of the year in which a node works, at most 1."""
    nodes_needed: Forecast
    """Whole nodes that do the work within a year."""
    idle_j: Floats | None
    """Energy of all nodes while they are idle."""
    power_w: Floats | None
    """Mean power of all nodes over the year, idle time included."""


def summed(loads: Sequence[Load]) -> Load:
    """Return the load of several kinds of work; its energy is unknown if that of one of them is."""
    known = [one.joules for one in loads if one.joules is not None]
    return Load(
        np.sum([one.seconds for one in loads], axis=0),
        np.sum(known, axis=0) if len(known) == len(loads) else None,
    )


def use(load: Load, nodes: int, idle_power_w: float | None) -> Use:
    """Return how a site's nodes spend a year with a load, one job at a time on each.

    Parameters
    ----------
    load
        Work of the year; of more than the nodes can do, they do a year's share.
    nodes
        Number of nodes.
    idle_power_w
        Idle power of a node (W); None: unknown.
    """
    share = np.minimum(1.0, load.seconds / (nodes * YEAR_S))
    needed = Forecast(*(max(1, math.ceil(seconds / YEAR_S)) for seconds in interval(load.seconds)))
    if idle_power_w is None:
        return Use(share, needed, None, None)
    idle_w = nodes * (1 - share) * idle_power_w
    power_w = None if load.power_w is None else nodes * share * load.power_w + idle_w
    return Use(share, needed, idle_w * YEAR_S, power_w)


def load_of_other(codec: OtherCodec, counts: Mapping[str, float]) -> Load:
    """Return the load of another codec.

    Parameters
    ----------
    codec
        The codec.
    counts
        By operation: models to train (only of a codec that is trained), GB to compress, GB to decompress.
    """
    random, loads = np.random.default_rng(_SEED), []
    for operation, cost in (("train", codec.train), ("compress", codec.compress), ("decompress", codec.decompress)):
        z = random.standard_normal(FORECAST_DRAWS)
        if cost is not None:
            loads.append(Load(_drawn(cost.seconds, z), _drawn(cost.joules, z)).times(counts[operation]))
    return summed(loads)


def _drawn(mean: Mean, z: Floats) -> Floats:
    """Return a mean, followed by draws from its interval."""
    deviation = 0.0 if mean.half_width is None else mean.half_width / _HALF_WIDTH
    return np.concatenate(([mean.value], np.maximum(0.0, mean.value + deviation * z)))


def quotient(above: Floats, below: Floats) -> Floats:
    """Divide, with NaN where `below` is 0."""
    found: Floats = np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)
    return found
